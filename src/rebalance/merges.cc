// Neighbours that have next to nothing become one shard.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "plan/shard_key.h"
#include "rebalance/draft.h"

namespace sluice::rebalance {
namespace {

using plan::Thousands;

constexpr uint64_t kLongUs = 600'000'000;  // what was cold so long is cold
constexpr double kCold = 0.25;             // of what splits a shard, for both together
constexpr double kSmallShare = 0.1;        // of an owner, for both together
constexpr double kRoomMost = 0.4;          // an owner that is busier takes no shard for a merge

double Most(const Rates& writes) {
  return std::max({writes.second, writes.minute, writes.ten_minutes, writes.busiest_minute});
}

// Whether the shard and the next are neighbours of one region and cold, whoever owns them.
bool Cold(const Draft& draft, size_t at) {
  if (at + 1 >= draft.survey().shards.size()) return false;
  const SurveyedShard &lower = draft.shard(at), &upper = draft.shard(at + 1);
  if (lower.keyspace != upper.keyspace || lower.region != upper.region) return false;
  const double most = Most(lower.writes) + Most(upper.writes);
  return most <= kCold * draft.SplitFrom(at) &&
         draft.Share(at, lower.owner) + draft.Share(at + 1, lower.owner) <= kSmallShare;
}

bool Ready(const Draft& draft, size_t at) {
  return draft.Free(at, false) && draft.UnchangedFor(at, kLongUs);
}

// Whether one of the pair has a cold neighbour on its own side at the same owner: then it waits for
// that one instead of moving to the other.
bool OtherwisePaired(const Draft& draft, size_t at) {
  const auto at_home = [&](size_t lower) {
    return Cold(draft, lower) && draft.shard(lower).owner == draft.shard(lower + 1).owner;
  };
  return (at > 0 && at_home(at - 1)) || at_home(at + 1);
}

void MoveTogether(Draft& draft, size_t at) {
  const bool lower_moves = draft.shard(at).bytes < draft.shard(at + 1).bytes;
  const size_t mover = lower_moves ? at : at + 1, stays = lower_moves ? at + 1 : at;
  const size_t from = draft.shard(mover).owner, to = draft.shard(stays).owner;
  if (!draft.CanGive(from) || !draft.CanTake(to) || !draft.MayOwn(to, mover)) return;
  if (draft.used(to) + draft.Share(mover, to) > kRoomMost) return;
  draft.Move(mover, to,
             fmt::format("{} and its neighbour {} are cold, and lie at different owners",
                         draft.NameOf(mover), draft.shard(stays).id.value),
             "they can be merged");
}

void MergePair(Draft& draft, size_t at) {
  const double writes = Most(draft.shard(at).writes) + Most(draft.shard(at + 1).writes);
  draft.Merge(at,
              fmt::format("{} and {} took {} writes/s together at most in any of ten minutes; from "
                          "{} on one is split",
                          draft.NameOf(at), draft.shard(at + 1).id.value, Thousands(writes),
                          Thousands(draft.SplitFrom(at))),
              "one shard less to keep");
}

}  // namespace

void MergeCold(Draft& draft) {
  if (draft.survey().now_us - draft.survey().since_us < kLongUs) return;
  const auto& shards = draft.survey().shards;
  std::map<std::pair<model::KeyspaceId, std::string>, uint32_t> counts;
  // What a job works on may become fewer.
  for (const SurveyedShard& it : shards) counts[{it.keyspace, it.region}] += it.busy ? 0 : 1;
  for (size_t at = 0; at + 1 < shards.size() && !draft.full(); ++at) {
    if (!Cold(draft, at) || !Ready(draft, at) || !Ready(draft, at + 1)) continue;
    const uint32_t least =
        draft.RegionOf(at) ? draft.RegionOf(at)->shards_least : draft.KeyspaceOf(at).shards_least;
    uint32_t& count = counts[{shards[at].keyspace, shards[at].region}];
    if (count <= least) continue;
    if (shards[at].owner == shards[at + 1].owner) {
      MergePair(draft, at);
      --count;
    } else if (!OtherwisePaired(draft, at)) {
      MoveTogether(draft, at);
    }
  }
}

}  // namespace sluice::rebalance
