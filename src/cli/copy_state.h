// CopyState: how far `sluice load --from` is. It is written to the server, in one write, before the
// writes of each page: whoever goes on from there writes the same keys under the same numbers.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

struct CopyKey {
  std::string name;
  char kind = 0;              // 's' string, 'h' hash; else 0
  uint64_t expire_at_ms = 0;  // 0: never
};

struct CopyCounts {
  uint64_t read = 0;      // keys that were there
  uint64_t rejected = 0;  // of those
  uint64_t vanished = 0;  // keys that were named, and gone when they were read
  uint64_t rejects_bytes = 0;
};

struct CopyState {
  std::string cursor = "0";        // where SCAN goes on
  bool scanned = false;            // SCAN is over
  std::vector<std::string> later;  // keys that SCAN named, for pages to come
  std::vector<CopyKey> large;      // hashes to be copied field by field
  uint64_t page = 0;               // the page under way; its writes are numbered by it
  std::vector<CopyKey> items;      // its keys; or, of `hash`, its fields
  CopyKey hash;                    // a large one that is under way; no name: none
  std::string hash_cursor;         // where HSCAN goes on; empty: it has not begun
  bool first = false;              // the page is the hash's first
  bool each = false;               // its fields are too large to go together
  CopyCounts counts;               // before the page

  std::string Encode() const;
  // False if the bytes are no state.
  bool Decode(std::string_view bytes);
};

}  // namespace sluice::cli
