// The keys of the node that are written most.
//
// Threads:  begun and finished on the lane that asks.
#pragma once

#include <functional>
#include <vector>

#include "heat/lane_heat.h"
#include "ingest/lane.h"

namespace sluice::ingest {

// Asks every lane; the hottest first, `most` at the most. `keyspace`: null: of all.
void GatherHotKeys(Lane& lane, const model::Keyspace* keyspace, size_t most,
                   std::function<void(Lane&, std::vector<heat::HotKey>)> then);

}  // namespace sluice::ingest
