// What `sluice shard ls` prints.
//
// Threads:  none.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

namespace sluice::cli {

// `shards`: as SLUICE SHARDS tells them. A table of each keyspace, the hottest first, beside the
// mean of all, and a warning below where one shard stands out.
void PrintShards(const std::vector<nlohmann::ordered_json>& shards, std::ostream& out);

}  // namespace sluice::cli
