#include "log/group_window.h"

#include <algorithm>

namespace sluice::log {
namespace {

constexpr uint64_t kGapMaxUs = 10'000'000;  // more is as good as never

// One step of a moving mean with a gain of 1/n.
uint64_t Toward(uint64_t mean, uint64_t sample, uint64_t n) {
  return sample >= mean ? mean + (sample - mean + n - 1) / n : mean - (mean - sample) / n;
}

}  // namespace

uint64_t GroupWindow::Open(uint64_t now_us, uint64_t target_us, uint64_t bound_us) {
  const uint64_t beyond = beyond_us();
  if (target_us <= beyond) return 0;
  const uint64_t window = std::min(bound_us, target_us - beyond);
  if (gap_us_ <= window / kPaysGaps) return window;
  if (now_us - probed_us_ < kProbeEvery * window) return 0;
  probed_us_ = now_us;
  return window;
}

uint64_t GroupWindow::quiet_us() const {
  return std::max(kQuietMinUs, kQuietGaps * std::min(gap_us_, kGapMaxUs));
}

void GroupWindow::Learn(const GroupTimes& group) {
  const uint64_t took_us = group.durable_us - std::min(group.due_us, group.durable_us);
  const uint64_t off_us = took_us > beyond_us_ ? took_us - beyond_us_ : beyond_us_ - took_us;
  deviation_us_ = Toward(deviation_us_, off_us, 4);
  beyond_us_ = Toward(beyond_us_, took_us, 8);

  uint64_t gap_us = 0;
  if (group.arrivals > 1) {
    gap_us = (group.last_us - group.since_us) / (group.arrivals - 1);
  } else if (group.window_us > 0) {
    gap_us = 2 * (std::max(group.due_us, group.since_us) - group.since_us);  // at least the wait
  } else {
    return;
  }
  gap_us = std::min(gap_us, kGapMaxUs);
  gap_us_ = gap_us_ == ~uint64_t{0} ? gap_us : Toward(gap_us_, gap_us, 8);
}

}  // namespace sluice::log
