#include "ingest/hot_keys.h"

#include <algorithm>

namespace sluice::ingest {
namespace {

std::vector<HotKey> HottestOf(Lane& lane, const model::Keyspace* keyspace) {
  const heat::LaneHeat& heat = lane.shards().heat();
  std::vector<HotKey> found;
  for (heat::HotKey& key : heat.Hottest(heat::kHotKeys)) {
    // What faded away is not hot, whatever else there is.
    if (key.per_second < 1 || (keyspace != nullptr && key.keyspace != keyspace->id)) continue;
    const double writes = heat.Of(key.shard).windows.second().writes;
    std::optional<double> share;
    if (writes > 0) share = std::min(1.0, key.per_second / writes);
    found.push_back({std::move(key), share});
  }
  return found;
}

}  // namespace

void GatherHotKeys(Lane& lane, const model::Keyspace* keyspace, size_t most,
                   std::function<void(Lane&, std::vector<HotKey>)> then) {
  struct Flow {
    size_t left;
    std::vector<HotKey> found;
    std::function<void(Lane&, std::vector<HotKey>)> then;
  };
  auto flow = std::make_shared<Flow>(Flow{lane.node().lanes.size(), {}, std::move(then)});
  const model::LaneId asker = lane.id();
  for (Lane* each : lane.node().lanes) {
    lane.Call(each->id(), [flow, asker, keyspace, most](Lane& there) {
      auto here = std::make_shared<std::vector<HotKey>>(HottestOf(there, keyspace));
      there.Call(asker, [flow, here, most](Lane& home) {
        std::vector<HotKey>& all = flow->found;
        all.insert(all.end(), here->begin(), here->end());
        if (--flow->left > 0) return;
        std::stable_sort(all.begin(), all.end(), [](const HotKey& a, const HotKey& b) {
          return a.key.per_second > b.key.per_second;
        });
        all.resize(std::min(all.size(), most));
        flow->then(home, std::move(all));
      });
    });
  }
}

}  // namespace sluice::ingest
