// A small seeded generator (SplitMix64, Steele, Lea and Flood 2014): same seed, same sequence, on
// every machine. For tests, simulation and sampling; never for secrets.
#pragma once

#include <cstdint>

namespace sluice {

class Prng {
 public:
  using result_type = uint64_t;
  explicit Prng(uint64_t seed) : state_(seed) {}

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // A number in [0, bound). Requires: bound > 0. The bias is below 2^-32 for bounds below 2^32.
  uint64_t Below(uint64_t bound) { return operator()() % bound; }
  // True once in `n` calls, on average.
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace sluice
