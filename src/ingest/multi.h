// Commands over several keys (MGET, MSET, MSETNX, DEL, UNLINK, EXISTS, TOUCH): all or nothing, and
// one cut.
//
// When all keys lie on this lane, nothing holds them and no row is cold, the command runs in place.
// Else it travels: lane by lane in ascending order, and on each lane key by key in byte order, it
// holds its keys (shard/parking.h) and notes what they are; one order for all, so none waits in a
// circle. Back home it decides, writes one record for all shards, and the other lanes apply their
// part once it has an LSN, then let go. Until then nobody sees any of it there.
//
// Threads:  a flow belongs to the one lane that has it; packets hand it over.
#pragma once

#include <string>

#include "ingest/lane.h"

namespace sluice::ingest {

Submitted SubmitMulti(Lane& lane, const shard::Command& command, const Origin& origin,
                      const Asker& asker, std::string& reply);

}  // namespace sluice::ingest
