// Skew: how much hotter the hottest of some shards is than their mean.
//
// An average of all shards looks safe while one of them melts: with 11 shards, one at 25,000 writes
// a second and ten at 9,500, the mean is 10,909 and the skew 2.3.
#pragma once

#include <algorithm>
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
  size_t shards = 2;  // of how many it is the hottest
};

// The skew that is worth a word: twice the mean. Of two or three shards the hottest makes up so
// much of the mean itself that it hides there; of them, three times what the others have.
constexpr double SkewWarnedFrom(size_t shards) {
  const auto n = static_cast<double>(shards);
  return std::min(2.0, 3 * n / (n + 2));
}

// `writes`: of each shard, a second. None where there are fewer than two shards, or too few writes.
std::optional<Skew> SkewOf(std::span<const double> writes);

// Says when it is time to warn: a skew of SkewWarnedFrom or more that held for kSkewHoldsS, once,
// until it was gone as long.
class SkewAlarm {
 public:
  static constexpr double kWritesLeast = 1'000;  // of the hottest shard: less is not worth a word
  static constexpr size_t kSkewHoldsS = 10;

  // Once a second.
  bool Look(const std::optional<Skew>& skew);

 private:
  size_t held_s_ = 0;  // for which the opposite of `told_` held
  bool told_ = false;
};

}  // namespace sluice::heat
