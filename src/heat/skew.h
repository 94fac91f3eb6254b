// Skew: how much hotter the hottest of some shards is than their mean.
//
// An average of all shards looks safe while one of them melts: with 11 shards, one at 25,000 writes
// a second and ten at 9,500, the mean is 10,909 and the skew 2.3.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace sluice::heat {

// Below this many writes a second in all, which shard they fall on is chance.
inline constexpr double kSkewWritesLeast = 100;

struct Skew {
  size_t hottest = 0;
  double writes = 0;  // its rate
  double times = 1;   // its rate by the mean of all: 1 when they are even
};

// `writes`: of each shard, a second. None where there are fewer than two shards, or too few writes.
std::optional<Skew> SkewOf(std::span<const double> writes);

// Says when it is time to warn: a skew that held for kSkewHoldsS, once, until it was gone as long.
class SkewAlarm {
 public:
  static constexpr double kTimes = 2;            // the skew that is worth a word,
  static constexpr double kWritesLeast = 1'000;  // from this rate of the hottest shard on
  static constexpr size_t kSkewHoldsS = 10;

  // Once a second.
  bool Look(const std::optional<Skew>& skew);

 private:
  size_t held_s_ = 0;  // for which the opposite of `told_` held
  bool told_ = false;
};

}  // namespace sluice::heat
