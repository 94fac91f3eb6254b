// Shards that have too much are split, unless that would not help.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plan/capacity.h"
#include "plan/shard_key.h"
#include "rebalance/draft.h"

namespace sluice::rebalance {
namespace {

using plan::Percent;
using plan::Thousands;

// Of the load, on the lesser part: else a split is useless.
constexpr double kPartLeast = 0.2, kPartLeastUrgent = 0.1;
constexpr double kTail = 0.5;  // keys grow with time when more of the load than this does

// What the shard becomes in the end, if every part of it is split that has too much.
std::string EndOf(const SurveyedShard& shard, double from) {
  const plan::SplitPlan pieces = plan::PlanSplit(shard.writes.minute, from);
  const double key = shard.hottest ? shard.hottest->share * shard.writes.minute : 0;
  if (key > pieces.each) {
    return fmt::format("which takes the rest away from one key that has {}", Thousands(key));
  }
  return fmt::format("in the end into {} of {} each", Thousands(pieces.pieces),
                     Thousands(pieces.each));
}

}  // namespace

NoSplit WhyNoSplit(const SurveyedShard& shard, bool urgent) {
  const double least = urgent ? kPartLeastUrgent : kPartLeast;
  if (shard.hottest && shard.hottest->share > 1 - least) return NoSplit::kOneKey;
  if (shard.rising >= kTail) return NoSplit::kTail;
  if (!shard.cut || std::min(shard.cut->below, 1 - shard.cut->below) < least) {
    return NoSplit::kNoCut;
  }
  return NoSplit::kNone;
}

void SplitHot(Draft& draft) {
  std::vector<std::pair<double, size_t>> hot;  // by how far it is above what splits it
  for (size_t at = 0; at < draft.survey().shards.size(); ++at) {
    const double from = draft.SplitFrom(at), writes = draft.shard(at).writes.minute;
    const bool urgent = writes >= kMelts * draft.KeyspaceOf(at).capacity;
    if (from <= 0 || writes < from || !draft.Free(at, urgent)) continue;
    if (WhyNoSplit(draft.shard(at), urgent) == NoSplit::kNone) hot.emplace_back(-writes / from, at);
  }
  std::sort(hot.begin(), hot.end());
  for (const auto& [_, at] : hot) {
    if (draft.full()) return;
    const SurveyedKeyspace& keyspace = draft.KeyspaceOf(at);
    const double writes = draft.shard(at).writes.minute, from = draft.SplitFrom(at);
    draft.Split(at, fmt::format("{} takes {} writes/s, {} of the {} that one shard carries; from "
                                "{} on it is split, {}",
                                draft.NameOf(at), Thousands(writes),
                                Percent(writes / keyspace.capacity), Thousands(keyspace.capacity),
                                Thousands(from), EndOf(draft.shard(at), from)));
  }
}

}  // namespace sluice::rebalance
