// Cursors: where each SCAN under way stands, held by the server, as clients take cursors for
// numbers.
//
// A cursor keeps the rest of the page read for it, so that SCAN with a small COUNT reads the store
// seldom.
//
// Threads:  any; one lock, held briefly.
// Bounds:   kCursorsMax; beyond it the one unused for longest is forgotten, and going on with it is
// an
//           error that says so.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/row.h"

namespace sluice::ingest {

inline constexpr size_t kCursorsMax = 1024;

// A key found by a walk.
struct ScanItem {
  std::string stored;  // the value key
  std::string row;     // empty unless rows were asked for
  model::RowType type = model::RowType::kString;
};

struct ScanCursor {
  std::vector<ScanItem> page;  // read, not yet returned; the last one is next
  size_t shard = 0;            // index in the map of the shard that is walked
  std::string from;            // stored key where the next page begins
};

class Cursors {
 public:
  // Keeps the cursor; returns its number, never 0.
  uint64_t Put(ScanCursor cursor);
  // Takes it back out.
  std::optional<ScanCursor> Take(uint64_t number);

 private:
  std::mutex mutex_;
  uint64_t next_ = 1;
  std::list<std::pair<uint64_t, ScanCursor>> cursors_;  // least recently used first
  std::unordered_map<uint64_t, decltype(cursors_)::iterator> by_number_;
};

}  // namespace sluice::ingest
