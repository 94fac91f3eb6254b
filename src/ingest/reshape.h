// Reshape: the lanes take over a changed map, all at once, between two turns.
//
// The change is in the topology by then, and durable. Records of the old shards lie before those of
// the new ones, as they are written to one log: so between the two nothing has to wait, and a crash
// at any time leaves a log that can be replayed by the new map (recovery.h).
//
// What belongs to a shard that comes to another lane is in the store, or in write buffers of the
// lane that had it. Those are frozen and lent (store/state.h), so nothing is copied, and reach the
// store before anything that the new owner writes.
//
// Threads:  one, while no lane is in a turn.
// Failure:  none. What is not as it must be is said before anything is changed.
#pragma once

#include <memory>
#include <string_view>

#include "ingest/lane.h"
#include "route/router.h"

namespace sluice::ingest {

// Why the lanes cannot take the map now; empty: they can. Sockets that rest (Node::resting) let
// commands under way come to their end.
std::string_view WhyNotYet(const Node& node, const model::ShardMap& next);

// Requires: WhyNotYet says nothing, and `next` is the node's map but for what was split, merged or
// moved.
void Reshape(Node& node, std::shared_ptr<const route::Router> next);

}  // namespace sluice::ingest
