#include "log/group_window.h"

#include <algorithm>
#include <utility>

namespace sluice::log {
namespace {

// One step of a moving mean with a gain of 1/n.
uint64_t Toward(uint64_t mean, uint64_t sample, uint64_t n) {
  return sample >= mean ? mean + (sample - mean + n - 1) / n : mean - (mean - sample) / n;
}

}  // namespace

uint64_t GroupWindow::Open(uint64_t now_us, uint64_t target_us, uint64_t bound_us) {
  probes_ = false;
  const uint64_t beyond = beyond_us();
  if (target_us <= beyond) return 0;
  const uint64_t window = std::min(bound_us, target_us - beyond);
  if (company_ >= kAlways / 2 && gap_us_ <= window / kPaysGaps) return window;
  const uint64_t probe = std::min(window, kProbeUsMost);
  if (!overlaps_ || now_us - probed_us_ < kProbeEvery * probe) return 0;
  probed_us_ = now_us;
  probes_ = true;
  return probe;
}

uint64_t GroupWindow::quiet_us() const {
  return probes_ ? kProbeUsMost : std::max(kQuietMinUs, kQuietGaps * gap_us_);
}

void GroupWindow::Learn(const GroupTimes& group) {
  const uint64_t took_us = group.durable_us - std::min(group.due_us, group.durable_us);
  const uint64_t off_us = took_us > beyond_us_ ? took_us - beyond_us_ : beyond_us_ - took_us;
  deviation_us_ = Toward(deviation_us_, off_us, 4);
  beyond_us_ = Toward(beyond_us_, took_us, 8);

  overlaps_ = group.since_us < durable_us_;
  durable_us_ = group.durable_us;
  const bool found = group.arrivals > 1;
  const uint64_t gap_us = found ? (group.last_us - group.since_us) / (group.arrivals - 1) : 0;
  if (std::exchange(probes_, false)) {
    company_ = found ? kAlways : 0;
    if (found) gap_us_ = gap_us;
    return;
  }
  if (group.window_us > 0) company_ = Toward(company_, found ? kAlways : 0, 8);
  if (found) gap_us_ = Toward(gap_us_, gap_us, 8);
}

}  // namespace sluice::log
