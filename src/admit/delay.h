// Delay: how long something waits for the log, judged like a queue: a burst that passes is none, a
// wait that does not go away is.
//
// The pressure is the least wait of the last kWindow samples over what is taken as good: a multiple
// of what one sync takes on this disk, within kGoodLeastUs and kGoodMostUs.
//
// Threads:  none.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sluice::admit {

class Delay {
 public:
  static constexpr size_t kWindow = 10;
  static constexpr double kGoodSyncs = 4;
  static constexpr double kGoodLeastUs = 25'000, kGoodMostUs = 250'000;
  static constexpr double kForgetUs = 60e6;  // a disk that became slow is known after this

  // `sync_us`: what the last sync took; 0: there was none.
  void Sample(uint64_t passed_us, uint64_t wait_us, uint64_t sync_us) {
    waits_[next_++ % kWindow] = wait_us;
    if (sync_us == 0) return;
    const auto sync = static_cast<double>(sync_us);
    const double before = sync_us_ * std::exp(static_cast<double>(passed_us) / kForgetUs);
    sync_us_ = sync_us_ == 0 ? sync : std::min(sync, before);
  }
  double good_us() const { return std::clamp(kGoodSyncs * sync_us_, kGoodLeastUs, kGoodMostUs); }
  double pressure() const {
    return static_cast<double>(*std::min_element(waits_.begin(), waits_.end())) / good_us();
  }

 private:
  std::array<uint64_t, kWindow> waits_{};
  size_t next_ = 0;
  double sync_us_ = 0;  // the least of late
};

}  // namespace sluice::admit
