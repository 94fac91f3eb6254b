#include "heat/skew.h"

#include <algorithm>
#include <numeric>

namespace sluice::heat {

std::optional<Skew> SkewOf(std::span<const double> writes) {
  const double all = std::accumulate(writes.begin(), writes.end(), 0.0);
  if (writes.size() < 2 || all < kSkewWritesLeast) return std::nullopt;
  const auto hottest = std::max_element(writes.begin(), writes.end());
  const double mean = all / static_cast<double>(writes.size());
  return Skew{static_cast<size_t>(hottest - writes.begin()), *hottest, *hottest / mean,
              writes.size()};
}

bool SkewAlarm::Look(const std::optional<Skew>& skew) {
  const bool skewed =
      skew && skew->times >= SkewWarnedFrom(skew->shards) && skew->writes >= kWritesLeast;
  held_s_ = skewed == told_ ? 0 : held_s_ + 1;
  if (held_s_ < kSkewHoldsS) return false;
  held_s_ = 0;
  told_ = skewed;
  return skewed;
}

}  // namespace sluice::heat
