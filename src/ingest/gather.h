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

}  // namespace sluice::ingest
