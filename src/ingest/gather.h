// Commands over many shards: SCAN, KEYS, DBSIZE, RANDOMKEY, FLUSHALL, FLUSHDB, SLUICE RANGE, SLUICE
// SHARDS.
//
// They visit shard after shard as tasks; what they read is durable before the reply leaves.
//
// Threads:  the lanes'.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ingest/lane.h"

namespace sluice::ingest {

// The Redis commands of face kGather.
Submitted SubmitGather(Lane& lane, const shard::Command& command, const Origin& origin,
                       std::string& reply);

// SLUICE RANGE keyspace FROM a TO b [COUNT n] [REV] [VALUES] [AFTER next]; args[0] is "RANGE".
Submitted SubmitRange(Lane& lane, const shard::Command& command, const Origin& origin,
                      std::string& reply);

// What one lane knows of one of its shards.
struct ShardStat {
  size_t shard = 0;
  model::LaneId lane;
  uint64_t keys = 0, bytes = 0;  // estimates
  uint64_t seq = 0;              // records so far
};
// Asks every lane about its shards and runs `then` on the asking lane.
void GatherStats(Lane& lane, std::function<void(Lane&, std::vector<ShardStat>)> then);

}  // namespace sluice::ingest
