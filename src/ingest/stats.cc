#include "ingest/stats.h"

#include <algorithm>

#include "ingest/walk.h"

namespace sluice::ingest {
namespace {

// Reads the store, so never on a lane.
void FillSizes(const model::ShardMap& map, store::Store& store, std::vector<ShardStat>& stats) {
  for (ShardStat& stat : stats) {
    const ScanRequest all = StretchOf(map.shards()[stat.shard], {}, {});
    if (!stat.hidden) stat.keys = store.ApproximateKeys(all.begin, all.end);
    stat.bytes = store.ApproximateBytes(all.begin, all.end);
  }
}

// What the lane says of itself; the store's part is still missing.
NodeStats StatsOf(Lane& lane) {
  NodeStats stats;
  const auto& shards = lane.router().map().shards();
  for (size_t i = 0; i < shards.size(); ++i) {
    if (!lane.Owns(i)) continue;
    const uint64_t next = lane.node().committer->next_seq(shards[i].lineage).value;
    const ScanRequest all = StretchOf(shards[i], {}, {});
    const bool hidden = lane.shards().state().Hides(all.begin, all.end);
    stats.shards.push_back({i, lane.id(), 0, 0, next - 1, hidden, lane.shards().heat().Of(i)});
  }
  stats.buffered = lane.shards().state().entries();
  return stats;
}

}  // namespace

uint64_t NodeStats::keys() const {
  uint64_t keys = buffered;
  for (const ShardStat& shard : shards) keys += shard.keys;
  return keys;
}

void GatherStats(Lane& lane, std::function<void(Lane&, NodeStats)> then) {
  struct Flow {
    Node::Pin pin;
    size_t left;
    NodeStats stats;
    std::function<void(Lane&, NodeStats)> then;
  };
  auto flow =
      std::make_shared<Flow>(Flow{lane.node().pin, lane.node().lanes.size(), {}, std::move(then)});
  const model::LaneId asker = lane.id();
  for (Lane* each : lane.node().lanes) {
    lane.Call(each->id(), [flow, asker](Lane& there) {
      auto stats = std::make_shared<NodeStats>(StatsOf(there));
      const auto done = [flow, stats](Lane& home) {
        NodeStats& all = flow->stats;
        all.shards.insert(all.shards.end(), stats->shards.begin(), stats->shards.end());
        all.buffered += stats->buffered;
        if (--flow->left > 0) return;
        std::sort(all.shards.begin(), all.shards.end(),
                  [](const ShardStat& a, const ShardStat& b) { return a.shard < b.shard; });
        flow->then(home, std::move(all));
      };
      there.Offload([stats, map = there.router().map_ptr()](
                        store::Store& store) { FillSizes(*map, store, stats->shards); },
                    [asker, done](Lane& here) { here.Call(asker, done); });
    });
  }
}

}  // namespace sluice::ingest
