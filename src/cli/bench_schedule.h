// BenchSchedule: when each command of a bench is due, whatever the server does.
//
// Command n is due at start + n / rate. The schedule knows nothing of replies: a server that stalls
// is late for every command that became due meanwhile, not only for those that it was sent.
//
// Threads:  none.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::cli {

inline constexpr uint64_t kBenchRateMax = 10'000'000;  // commands a second
inline constexpr uint64_t kBenchSecondsMax = 24 * 3600;

class BenchSchedule {
 public:
  // Requires: 0 < rate <= kBenchRateMax, seconds <= kBenchSecondsMax.
  BenchSchedule(uint64_t start_us, uint64_t rate, uint64_t seconds)
      : start_us_(start_us), rate_(rate), total_(rate * seconds) {}

  uint64_t start_us() const { return start_us_; }
  uint64_t total() const { return total_; }
  uint64_t DueUs(uint64_t n) const { return start_us_ + n * kSecondUs / rate_; }
  // How many commands are due at `now_us` or before.
  uint64_t DueBy(uint64_t now_us) const {
    if (now_us < start_us_) return 0;
    const uint64_t until = now_us - start_us_ + 1;
    return std::min(total_, (until * rate_ + kSecondUs - 1) / kSecondUs);
  }

 private:
  static constexpr uint64_t kSecondUs = 1'000'000;

  uint64_t start_us_, rate_, total_;
};

}  // namespace sluice::cli
