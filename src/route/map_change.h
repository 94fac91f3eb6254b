// Map changes: the topology as it is after a shard is split, merged with its neighbour, or moved
// to another lane. What changes the map for good is the swap of what these return.
//
// A split or a merge retires shards and makes new ones, with lineages of their own; a move keeps
// the lineage and raises the epoch. Nothing else changes.
//
// Threads:  any; pure functions.
// Failure:  kNotFound: there is no such shard (any more). kInvalid: it cannot be done to it, ever.
//           kConflict: not as things are. The messages say why; they follow "ERR ".
// Bounds:   kRetiredMax retired shards are kept; then the oldest is forgotten: a sink that has not
//           been written to since then is no longer known as this node's.
#pragma once

#include <functional>
#include <string_view>

#include "base/status.h"
#include "route/catalogue.h"
#include "route/topology.h"

namespace sluice::route {

inline constexpr size_t kRetiredMax = 65'536;
inline constexpr size_t kShardsMax = 8'192;  // of a map; a split that would pass it is refused

// The shard ends at `cut`, and a new one begins there. Both are new; the first is made first.
Result<TopologyContent> SplitShard(const TopologyContent& now, model::ShardId shard,
                                   std::string_view cut, const Draw& draw);
// The two, neighbours in any order and of one lane, become one.
Result<TopologyContent> MergeShards(const TopologyContent& now, model::ShardId one,
                                    model::ShardId other, const Draw& draw);
Result<TopologyContent> MoveShard(const TopologyContent& now, model::ShardId shard,
                                  model::LaneId to);

// The index of a shard in the map; kNotFound says that it has retired, or never was.
Result<size_t> FindShard(const model::ShardMap& map, model::ShardId shard);

// Gives every shard a lane: as stored if the node had as many lanes then, else in turn.
TopologyContent PlaceOnLanes(const TopologyContent& now, uint16_t lanes);

}  // namespace sluice::route
