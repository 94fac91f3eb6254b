// BenchSchedule: when each command of a bench is due, whatever the server does.
//
// A run is a row of phases, each of one rate; within it, commands are due at even distances. The
// schedule knows nothing of replies: a server that stalls is late for every command that became due
// meanwhile, not only for those that it was sent.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::cli {

inline constexpr uint64_t kBenchRateMax = 10'000'000;  // commands a second
inline constexpr uint64_t kBenchSecondsMax = 24 * 3600;

struct BenchPhase {
  uint64_t us;
  double rate;  // commands a second
};

// 10 times the rate in the last 5 of every 30 seconds.
inline constexpr uint64_t kBenchBurstEverySeconds = 30, kBenchBurstSeconds = 5;
inline constexpr double kBenchBurstTimes = 10;
std::vector<BenchPhase> BenchBursts(double rate, uint64_t seconds);

class BenchSchedule {
 public:
  // Requires: rates from 0 to kBenchRateMax, kBenchSecondsMax in all at most.
  BenchSchedule(uint64_t start_us, std::span<const BenchPhase> phases);

  uint64_t start_us() const { return start_us_; }
  uint64_t end_us() const { return end_us_; }
  uint64_t total() const { return total_; }
  // Requires: n < total().
  uint64_t DueUs(uint64_t n) const;
  // How many commands are due at `now_us` or before.
  uint64_t DueBy(uint64_t now_us) const;

 private:
  struct Part {
    uint64_t start_us, first;  // the first command's time and number
    double rate;
  };

  uint64_t start_us_, end_us_, total_ = 0;
  std::vector<Part> parts_;  // those with commands, one after the other
};

}  // namespace sluice::cli
