#include "ingest/reshape.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/check.h"

namespace sluice::ingest {
namespace {

struct Move {
  size_t from_shard, to_shard;  // indexes in the old map and the new one
  model::LaneId from, to;
};

// Shards that have another lane in `next`.
std::vector<Move> MovesOf(const model::ShardMap& now, const model::ShardMap& next) {
  std::unordered_map<model::ShardId, size_t> by_id;
  for (size_t i = 0; i < now.shards().size(); ++i) by_id[now.shards()[i].id] = i;
  std::vector<Move> moves;
  for (size_t i = 0; i < next.shards().size(); ++i) {
    const auto at = by_id.find(next.shards()[i].id);
    if (at == by_id.end()) continue;
    const model::LaneId from = now.shards()[at->second].lane, to = next.shards()[i].lane;
    if (from != to) moves.push_back({at->second, i, from, to});
  }
  return moves;
}

// Shards [first, last) of the keyspace that hold a part of that shard's range.
std::pair<size_t, size_t> Overlapping(const model::ShardMap& map, const model::Shard& shard) {
  const auto [begin, end] = map.OfKeyspace(shard.keyspace);
  const size_t first = map.Find(shard.keyspace, shard.begin);
  size_t last = first + 1;
  while (last < end && (shard.end.empty() || map.shards()[last].begin < shard.end)) ++last;
  SLUICE_CHECK(begin <= first);
  return {first, last};
}

std::vector<heat::Former> FormerOf(const model::ShardMap& now, const model::ShardMap& next) {
  std::vector<heat::Former> former;
  for (const model::Shard& shard : next.shards()) {
    const auto [first, last] = Overlapping(now, shard);
    const auto [a, b] = Overlapping(next, now.shards()[first]);
    former.push_back({first, last - first, 1.0 / static_cast<double>(b - a)});
  }
  return former;
}

}  // namespace

std::string_view WhyNotYet(const Node& node, const model::ShardMap& next) {
  if (node.committer->failed()) return "the log failed";
  if (node.pinned() || !node.fabric.Empty()) return "commands under way";
  for (const Lane* lane : node.lanes) {
    if (!lane->Quiet()) return "commands under way";
  }
  for (const Move& move : MovesOf(node.router->map(), next)) {
    const Lane& from = *node.lanes[move.from.value];
    if (!from.CanLend()) return "write buffers on their way to the store";
  }
  return {};
}

void Reshape(Node& node, std::shared_ptr<const route::Router> next) {
  const std::shared_ptr<const route::Router> before = node.router;
  const model::ShardMap& now = before->map();
  SLUICE_CHECK(WhyNotYet(node, next->map()).empty());
  const std::vector<Move> moves = MovesOf(now, next->map());
  const std::vector<heat::Former> former = FormerOf(now, next->map());
  for (Lane* from : node.lanes) {
    std::vector<model::LaneId> to;
    for (const Move& move : moves) {
      if (move.from == from->id()) to.push_back(move.to);
    }
    std::sort(to.begin(), to.end());
    to.erase(std::unique(to.begin(), to.end()), to.end());
    if (!to.empty()) from->Lend(to);
  }
  for (Lane* lane : node.lanes) lane->shards().Adopt(next->map_ptr(), former);
  for (const Move& move : moves) {
    node.lanes[move.to.value]->shards().heat().Take(move.to_shard,
                                                    node.lanes[move.from.value]->shards().heat());
  }
  node.SetRouter(std::move(next));
}

}  // namespace sluice::ingest
