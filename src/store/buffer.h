// Buffer: the in-memory part of the state of one lane's shards, from the log's past that the store
// does not hold yet. A hash table over rows in an arena: a write costs a probe and a copy.
//
// Each entry carries the turn that wrote it last; a reader of the entry waits for that turn.
//
// Owns:     all bytes. A frozen buffer is immutable and shared (readers, the flusher).
// Threads:  none; one lane writes, until Freeze. Frozen: any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"

namespace sluice::store {

class Buffer {
 public:
  struct Hit {
    enum class State : uint8_t { kMiss, kRow, kDeleted } state = State::kMiss;
    std::string_view row;  // valid until the entry is written again
    model::Turn turn;
  };

  Buffer();
  ~Buffer();

  // kMiss: not here; look further. A key inside a cleared range that was not written since:
  // kDeleted.
  Hit Find(std::string_view key) const;

  // Sets the row of a key. `group` > 0: the first `group` bytes of the key name a group (a large
  // hash's generation) whose members ForEachOf walks.
  void Put(std::string_view key, std::string_view row, model::Turn turn, size_t group = 0);
  // The same with the row's bytes left to the caller to fill, before any other call.
  char* PutSpace(std::string_view key, size_t row_size, model::Turn turn, size_t group = 0);
  void Delete(std::string_view key, model::Turn turn, size_t group = 0);
  // Forgets all entries in [begin, end) and hides what lies below. Costs the entries of the buffer.
  void ClearRange(std::string_view begin, std::string_view end, model::Turn turn);

  struct Range {
    std::string begin, end;
    model::Turn turn;
  };
  const std::vector<Range>& cleared() const;

  // Every entry, in no order. `fn(key, row, deleted, turn)`; return false to stop.
  using Visit = std::function<bool(std::string_view key, std::string_view row, bool deleted,
                                   model::Turn turn)>;
  void ForEach(const Visit& visit) const;
  void ForEachOf(std::string_view group, const Visit& visit) const;

  // Entries by key, for building a run. Any thread, once frozen.
  struct Entry {
    std::string_view key, row;
    bool deleted;
  };
  std::vector<Entry> Sorted() const;

  size_t bytes() const;  // memory held, table included
  size_t entries() const;
  bool empty() const;  // no entries and no cleared ranges
};

}  // namespace sluice::store
