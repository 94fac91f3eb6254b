// Latencies: how long a shard's writes took lately, as a histogram that fades.
//
// Buckets grow by a quarter octave, from 1 us to 64 s: a percentile is at most 25 % too high, and
// never too low. The counts fade every second: what is told is of about as many seconds as were
// asked for, and a single write is known for that long.
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
  explicit Latencies(float seconds) : kept_(1 - 1 / seconds) {}

  void Add(uint64_t us) { ++counts_[BucketOf(us)]; }
  void EndSecond() {
    for (float& count : counts_) count *= kept_;
  }
  // The time that `part` of the writes took at most, in microseconds; none when nothing is known.
  // Requires: 0 < part <= 1.
  std::optional<uint64_t> Percentile(double part) const;

 private:
  static constexpr size_t kBuckets = 26 * 4;

  static size_t BucketOf(uint64_t us);
  static uint64_t UpperUs(size_t bucket);

  float kept_;  // of a count, each second
  std::array<float, kBuckets> counts_{};
};

}  // namespace sluice::heat
