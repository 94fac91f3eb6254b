// RunRows: a run as the one sorted sequence of rows that a store takes in.
//
// Beside the buffer's rows and the positions it has what is derived from them: a row of the expiry
// index for each value that ends, and the format row.
//
// Borrows:  the run's buffer.
// Threads:  none.
// Bounds:   8 bytes per row, beside what is derived.
// Format:   docs/formats/keys.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/breaks.h"
#include "store/buffer.h"
#include "store/store.h"

namespace sluice::store {

// The version of stored keys and rows that this build writes; stores of a later one are refused.
inline constexpr uint32_t kStoreFormat = 1;

class RunRows {
 public:
  // kCorrupt: a value's row does not decode; the message shows its key.
  static Result<RunRows> Of(const Run& run, Breaks& breaks);

  // To the next row, keys strictly ascending; false at the end.
  bool Next();
  std::string_view key() const { return key_; }  // valid until Next
  std::string_view row() const { return row_; }
  bool deleted() const { return deleted_; }

 private:
  // A value that ends, for the expiry index.
  struct Ending {
    model::KeyspaceId keyspace;
    uint64_t at_ms;
    std::string_view key;
  };

  Status TakeRows(const Buffer& buffer, Breaks& breaks);
  Status NoteEnding(Buffer::Place place, std::string_view row);
  void DeriveNext();

  const Buffer* buffer_ = nullptr;
  std::vector<Buffer::Place> places_;                      // in force, by key
  std::vector<Ending> endings_;                            // in the order of their index rows
  std::vector<std::pair<std::string, std::string>> meta_;  // rows about the store: the last ones
  size_t next_place_ = 0, next_derived_ = 0;
  // The next row of the index or about the store. Index keys are made one at a time: all at once
  // would double what a run takes.
  std::string derived_key_, derived_key_now_;
  std::string_view key_, row_;
  bool deleted_ = false;
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
