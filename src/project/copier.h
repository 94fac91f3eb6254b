// Copier walks the state of one keyspace at one moment, for a projection that begins: what the
// store holds then, and the position that it reflects. The tail goes on from there.
//
// Threads:  none; the projection's own. Reads from disk.
// Failure:  kIo, kCorrupt: the store cannot be read. The walk is begun anew with another Copier.
// Bounds:   a step passes its bounds by one key; a hash is in memory as a whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/row.h"
#include "project/sink.h"
#include "project/tail.h"

namespace sluice::project {

class Copier {
 public:
  static Result<std::unique_ptr<Copier>> Begin(const Source& source);

  // Of the keyspace's shards, those that have any record.
  const Position& position() const { return position_; }
  // The log from here on has all that is missing.
  model::Lsn next() const { return next_; }

  // The next keys, in order of their tokens. Empty at the end.
  Result<std::vector<Change>> Step(size_t rows_max, size_t bytes_max);
  uint64_t copied() const { return copied_; }
  // Whether there is that key, be its time over. Not between two steps.
  Result<bool> Has(std::string_view key);

 private:
  explicit Copier(const Source& source) : source_(source) {}
  Status ReadPosition();
  Result<bool> CopyRow(std::vector<Change>& to);
  Status CopyFields(std::string_view token, const model::RowView& row, Change& change);

  const Source& source_;
  std::unique_ptr<store::Cursor> cursor_;
  Position position_;
  model::Lsn next_;
  uint64_t now_ms_ = 0;  // what expired before is left out
  uint64_t copied_ = 0;
  std::string prefix_;
  std::string at_;  // where to go on; empty: behind the row that the cursor is on
};

}  // namespace sluice::project
