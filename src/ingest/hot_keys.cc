#include "ingest/hot_keys.h"

#include <algorithm>

namespace sluice::ingest {
namespace {

std::vector<heat::HotKey> HottestOf(Lane& lane, const model::Keyspace* keyspace) {
  std::vector<heat::HotKey> found = lane.shards().heat().Hottest(heat::kHotKeys);
  // What faded away is not hot, whatever else there is.
  std::erase_if(found, [keyspace](const heat::HotKey& key) {
    return key.per_second < 1 || (keyspace != nullptr && key.keyspace != keyspace->id);
  });
  return found;
}

}  // namespace

void GatherHotKeys(Lane& lane, const model::Keyspace* keyspace, size_t most,
                   std::function<void(Lane&, std::vector<heat::HotKey>)> then) {
  struct Flow {
    size_t left;
    std::vector<heat::HotKey> found;
    std::function<void(Lane&, std::vector<heat::HotKey>)> then;
  };
  auto flow = std::make_shared<Flow>(Flow{lane.node().lanes.size(), {}, std::move(then)});
  const model::LaneId asker = lane.id();
  for (Lane* each : lane.node().lanes) {
    lane.Call(each->id(), [flow, asker, keyspace, most](Lane& there) {
      auto here = std::make_shared<std::vector<heat::HotKey>>(HottestOf(there, keyspace));
      there.Call(asker, [flow, here, most](Lane& home) {
        std::vector<heat::HotKey>& all = flow->found;
        all.insert(all.end(), here->begin(), here->end());
        if (--flow->left > 0) return;
        std::stable_sort(all.begin(), all.end(), [](const heat::HotKey& a, const heat::HotKey& b) {
          return a.per_second > b.per_second;
        });
        all.resize(std::min(all.size(), most));
        flow->then(home, std::move(all));
      });
    });
  }
}

}  // namespace sluice::ingest
