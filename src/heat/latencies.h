// Latencies: how long a shard's writes took lately, as a histogram that fades.
//
// Buckets grow by a quarter octave, from 1 us to 64 s: a percentile is at most 25 % too high, and
// never too low. The counts fade every second: what is told is of about as many seconds as were
// asked for, and all is forgotten after as many without a write.
//
// Owns:     104 counts.
// Threads:  none; one caller at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::heat {

class Latencies {
 public:
  // Requires: seconds > 1.
  explicit Latencies(float seconds) : seconds_(seconds) {}

  void Add(uint64_t us) {
    ++counts_[BucketOf(us)];
    quiet_ = 0;
  }
  void EndSecond() {
    if (++quiet_ > seconds_) return counts_.fill(0);
    for (float& count : counts_) count *= 1 - 1 / seconds_;
  }
  // The time that `part` of the writes took at most, in microseconds; none when nothing is known.
  // Requires: 0 < part <= 1.
  std::optional<uint64_t> Percentile(double part) const;

 private:
  static constexpr size_t kBuckets = 26 * 4;

  static size_t BucketOf(uint64_t us);
  static uint64_t UpperUs(size_t bucket);

  float seconds_;
  float quiet_ = 0;  // seconds without a write
  std::array<float, kBuckets> counts_{};
};

}  // namespace sluice::heat
