// Cursors: where each SCAN and HSCAN under way stands, held by the server, as clients take cursors
// for numbers.
//
// A cursor keeps the rest of the page read for it, so that SCAN with a small COUNT reads the store
// seldom. It is good for any number of calls until it is forgotten: whoever lost a reply asks again
// with the number it had.
//
// Threads:  any; one lock, held briefly.
// Bounds:   kCursorsMax and kCursorBytesMax. Beyond the bytes, pages are dropped first: their keys
//           are read again. Then the one unused for longest is forgotten, those first whose
//           successor was used; going on with it is an error that says so.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/ids.h"
#include "model/row.h"

namespace sluice::ingest {

inline constexpr size_t kCursorsMax = 1024;
inline constexpr size_t kCursorBytesMax = 32 << 20;

// A key found by a walk.
struct ScanItem {
  std::string stored;  // the value key
  std::string row;     // empty unless rows were asked for
  model::RowType type = model::RowType::kString;
  uint64_t expire_at_ms = 0;

  size_t bytes() const { return sizeof *this + stored.size() + row.size(); }
};

struct ScanCursor {
  uint64_t hash = 0;                  // HSCAN: marks the key; 0: SCAN
  std::string from;                   // stored key where it goes on; HSCAN: field
  std::vector<ScanItem> page;         // read from there, not yet shown; the last one is next
  bool ahead = false;                 // a page was read: behind it the walk goes on at `behind`,
  std::optional<std::string> behind;  // or ends
  model::Lsn gate;                    // what the page waits for
};

class Cursors {
 public:
  // Keeps the cursor; returns its number, never 0. `before` is the number that its call came with,
  // or 0.
  uint64_t Put(ScanCursor cursor, uint64_t before);
  // Where it stands, with the page if it still has one, which it gives away. Nothing if it is not
  // known (any more).
  std::optional<ScanCursor> Use(uint64_t number);

  size_t size() const;
  size_t bytes() const;

 private:
  struct Entry {
    uint64_t number, before;
    ScanCursor cursor;
    size_t bytes = 0;
    bool passed = false;  // its successor was used
  };
  using Entries = std::list<Entry>;

  void Pass(uint64_t number);
  void Shrink();
  void Forget(Entries& from);

  mutable std::mutex mutex_;
  uint64_t next_ = 1;
  size_t bytes_ = 0;
  Entries passed_, waiting_;  // each least recently used first
  std::unordered_map<uint64_t, Entries::iterator> by_number_;
};

}  // namespace sluice::ingest
