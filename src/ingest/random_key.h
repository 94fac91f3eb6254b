// RANDOMKEY: a key found by descending into a shard's keys byte by byte: as far as they agree there
// is no choice; at the first byte in which the first and the last differ, one is drawn.
//
// Threads:  the lanes'.
#pragma once

#include <string>

#include "ingest/lane.h"

namespace sluice::ingest {

Submitted SubmitRandomKey(Lane& lane, const shard::Command& command, const Origin& origin,
                          std::string& reply);

}  // namespace sluice::ingest
