// Scan: a page of one shard's keys in stored order, of what lies in the buffers and in the store
// together, as of one moment.
//
// What does not change any more (store, frozen buffers) is read off the lane; the lane itself only
// looks at the entries of the active buffer that fall into the page, and at those added since the
// last page (store/key_order.h).
//
// Threads:  begun and finished on the lane that owns the shard; the store is read off it. One page
//           of a lane at a time (ingest/scan_line.h).
// Failure:  kCorrupt, kIo from reading the store; kCorrupt for a row that is none. The page is
//           empty.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/lane.h"

namespace sluice::ingest {

// Keys and rows of a page end with the item that passes this; one is always taken.
inline constexpr size_t kPageBytesMax = 4 << 20;

struct ScanPage {
  std::vector<ScanItem> items;  // ascending by stored key (descending with `reverse`)
  std::string next;             // where the next page begins: >= it (reverse: < it)
  bool complete = false;        // nothing is left in the range
  std::optional<Error> error;
};

struct ScanRequest {
  std::string begin, end;  // stored keys [begin, end); end is never empty
  size_t limit = 1024;     // items at the most; > 0
  bool reverse = false;
  bool with_rows = false;
  bool fields = false;  // they are the field rows of a hash, and come with their values
};

// Requires: the range lies in one shard of this lane. `then` runs on this lane; what it is given
// may be revealed once this lane's turn is durable (Lane::AfterTurn).
void Scan(Lane& lane, ScanRequest request, std::function<void(Lane&, ScanPage)> then);

}  // namespace sluice::ingest
