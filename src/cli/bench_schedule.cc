#include "cli/bench_schedule.h"

#include <algorithm>
#include <cmath>

namespace sluice::cli {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

// When command `n` of a part is due after its begin. Whoever asks how many are due must get an
// answer that agrees with this to the microsecond, so both ask here.
uint64_t OffsetUs(uint64_t n, double rate) {
  return static_cast<uint64_t>(static_cast<double>(n) * kSecondUs / rate);
}

}  // namespace

std::vector<BenchPhase> BenchBursts(double rate, uint64_t seconds) {
  constexpr uint64_t kQuiet = kBenchBurstEverySeconds - kBenchBurstSeconds;
  std::vector<BenchPhase> phases;
  for (uint64_t at = 0; at < seconds;) {
    const bool burst = phases.size() % 2 == 1;
    const uint64_t length = std::min(burst ? kBenchBurstSeconds : kQuiet, seconds - at);
    phases.push_back({.us = length * kSecondUs, .rate = burst ? kBenchBurstTimes * rate : rate});
    at += length;
  }
  return phases;
}

BenchSchedule::BenchSchedule(uint64_t start_us, std::span<const BenchPhase> phases)
    : start_us_(start_us), end_us_(start_us) {
  for (const BenchPhase& phase : phases) {
    const auto count =
        static_cast<uint64_t>(std::llround(phase.rate * static_cast<double>(phase.us) / kSecondUs));
    if (count > 0) {
      // The commands of a part fill it exactly, also where its rate gives no whole number.
      const double rate = static_cast<double>(count) * kSecondUs / static_cast<double>(phase.us);
      parts_.push_back({.start_us = end_us_, .first = total_, .rate = rate});
    }
    total_ += count;
    end_us_ += phase.us;
  }
}

uint64_t BenchSchedule::DueUs(uint64_t n) const {
  const auto after =
      std::upper_bound(parts_.begin(), parts_.end(), n,
                       [](uint64_t at, const Part& part) { return at < part.first; });
  const Part& part = *(after - 1);
  return part.start_us + OffsetUs(n - part.first, part.rate);
}

uint64_t BenchSchedule::DueBy(uint64_t now_us) const {
  const auto after =
      std::upper_bound(parts_.begin(), parts_.end(), now_us,
                       [](uint64_t at, const Part& part) { return at < part.start_us; });
  if (after == parts_.begin()) return 0;
  const Part& part = *(after - 1);
  const uint64_t next = after == parts_.end() ? total_ : after->first;
  const uint64_t past_us = now_us - part.start_us;
  auto due = static_cast<uint64_t>(static_cast<double>(past_us) / kSecondUs * part.rate);
  while (due > 0 && OffsetUs(due - 1, part.rate) > past_us) --due;
  while (OffsetUs(due, part.rate) <= past_us) ++due;
  return std::min(part.first + due, next);
}

}  // namespace sluice::cli
