// RunRows: a run as the one sorted sequence of rows that a store takes in.
//
// Beside the buffer's rows and the positions it has what is derived from them: a row of the expiry
// index for each value that ends, and the format row.
//
// Borrows:  the run's buffer.
// Threads:  none.
// Format:   docs/formats/keys.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/buffer.h"
#include "store/store.h"

namespace sluice::store {

// The version of stored keys and rows that this build writes; stores of a later one are refused.
inline constexpr uint32_t kStoreFormat = 1;

class RunRows {
 public:
  // kCorrupt: a value's row does not decode; the message shows its key.
  static Result<RunRows> Of(const Run& run);

  // To the next row, keys strictly ascending; false at the end.
  bool Next();
  std::string_view key() const { return now_.key; }  // valid until Next
  std::string_view row() const { return now_.row; }
  bool deleted() const { return now_.deleted; }

 private:
  struct Expiring {
    model::KeyspaceId keyspace;
    uint32_t entry;
    uint64_t expire_at_ms;
  };

  Status FindExpiring();
  void AddMeta(std::string key, std::string row);
  void MakeExpiryKey();

  std::vector<Buffer::Entry> entries_;
  std::vector<Expiring> expiring_;  // in the order of their index rows
  std::vector<std::pair<std::string, std::string>> meta_;
  size_t next_entry_ = 0, next_expiring_ = 0;
  // Index keys are made one at a time: all at once would double what a run takes.
  std::string expiry_key_, expiry_key_now_;
  Buffer::Entry now_ = {};
};

void EncodePosition(std::string& to, const Position& position);  // without the lineage
// False if these are not the key and row of a position.
bool DecodePosition(std::string_view key, std::string_view row, Position* position);

void EncodeFormat(std::string& to);
// What the format row found in a store (empty: none) says of it.
//   kCorrupt  no format row although there are others, or a damaged one
//   kInvalid  written by a later version
Status CheckFormat(std::string_view row, bool has_rows);

}  // namespace sluice::store
