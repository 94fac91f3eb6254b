// HSCAN and MEMORY USAGE: reads of a hash that never hold all of it at once.
//
// A small hash comes whole. Of a large one, a page of fields is read in the order of their bytes,
// and the server keeps where the next one begins (ingest/cursors.h): a field that is there all the
// while comes exactly once.
//
// Threads:  begun on the asking lane; read on the lane that owns the key.
// Bounds:   a page has kSmallHashFieldsMax fields, or COUNT if that is more, and kPageBytesMax with
//           one more field.
#pragma once

#include <string>
#include <string_view>

#include "ingest/lane.h"

namespace sluice::ingest {

Submitted SubmitHScan(Lane& lane, const shard::Command& command, const Origin& origin,
                      std::string& reply);

// Replies with the bytes that the key takes, about, or null: of a large hash, `samples` fields are
// looked at.
Submitted SubmitUsage(Lane& lane, std::string_view key, size_t samples, resp::Version version,
                      const Origin& origin, std::string& reply);

}  // namespace sluice::ingest
