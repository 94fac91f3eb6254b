// Walk: pages of keys, shard after shard over all lanes, back to the lane that asked.
//
// Threads:  begun on the asking lane; each page is read on the lane that owns the shard.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ingest/lane.h"
#include "ingest/scan.h"

namespace sluice::ingest {

// The stretch of one shard's value keys that lies in [from, to); empty `from`, `to`: all of it.
ScanRequest StretchOf(const model::Shard& shard, std::string_view from, std::string_view to);

// Reads a page of a shard, wherever it lives, and runs `then` on `home` with what must be durable
// before the page is revealed. Its error says which shard it is.
using PageThen = std::function<void(Lane& home, ScanPage page, model::Lsn gate)>;
void ReadPage(Lane& home, size_t shard, ScanRequest request, PageThen then);

// Reads all pages of the shards, in their order. `take` gets each page's items and says whether to
// go on; `end` runs once, with what the whole waits for, or an error.
struct WalkEnd {
  model::Lsn gate;
  std::optional<Error> error;
};
void WalkShards(Lane& home, std::vector<std::pair<size_t, ScanRequest>> stretches,
                std::function<bool(std::vector<ScanItem>&&, size_t shard)> take,
                std::function<void(Lane& home, WalkEnd)> end);

}  // namespace sluice::ingest
