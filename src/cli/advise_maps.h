// Maps for advice: rows of a sample put through tokens and shard maps as a node would put them.
//
// Tokens and cuts are those of room route. Hash maps are cut evenly; range maps at the sample's own
// quantiles, the best that somebody who knew all of it could have chosen; geo maps give each value
// of the first column a region with one shard, each with hash cuts of its own if there are more.
//
// Threads:  any; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/columns.h"
#include "plan/shard_key.h"

namespace sluice::cli {

using Sample = std::vector<plan::RowSample::Row>;

inline constexpr uint32_t kShardsMost = 4'096;  // that may be simulated
inline constexpr size_t kRegionsMost = 64;      // more values are no regions

// By token of these columns; rows in which one of them is empty are left out.
plan::Spread SimulateHash(const Sample& sample, const std::vector<size_t>& columns,
                          uint32_t shards);
plan::Spread SimulateRange(const Sample& sample, const std::vector<size_t>& columns,
                           uint32_t shards);
// geo(region) then hash(columns): each region gets the shards that its share of the rows asks for,
// at least one. A sample with more than kRegionsMost regions is not placed: shards is 0.
plan::Spread SimulateGeo(const Sample& sample, size_t region, const std::vector<size_t>& columns,
                         uint32_t shards);

// What a column's range order has to do with the order of the rows.
plan::Order OrderOf(const Sample& sample, size_t column);

}  // namespace sluice::cli
