// Stats: how much lies in each shard, as far as it is known without counting.
//
// Threads:  begun and finished on the lane that asks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "heat/lane_heat.h"
#include "ingest/lane.h"

namespace sluice::ingest {

// What one lane knows of one of its shards.
struct ShardStat {
  size_t shard = 0;
  model::LaneId lane;
  uint64_t keys = 0, bytes = 0;  // estimates of what is in the store
  uint64_t seq = 0;              // records so far
  bool hidden = false;           // what is in the store was cleared since
  heat::ShardHeat heat = {};
};
struct NodeStats {
  std::vector<ShardStat> shards;  // in the order of the map
  // Entries of all write buffers: keys, but also deletions, fields of large hashes and once tokens.
  uint64_t buffered = 0;

  // An estimate that is 0 only if there is no key.
  uint64_t keys() const;
};

// Asks every lane about its shards and runs `then` on the asking lane.
void GatherStats(Lane& lane, std::function<void(Lane&, NodeStats)> then);

}  // namespace sluice::ingest
