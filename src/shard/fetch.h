// Fetch: rows that a parked command needs from disk, read off the lane.
//
// The lane makes fetches, a pool thread runs them together, the lane takes the results back and
// runs the commands again. While a fetch is out, no command on its key runs, so what it read stays
// true.
//
// Failure:  kIo, kCorrupt from reading the store. kInvalid: the rows or the range are longer than a
//           reply may be (command::kReplyBytesMax); the message is the error to reply.
// Threads:  RunAll on any one thread, with no other access to the fetches at that time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/state.h"

namespace sluice::shard {

struct Fetch {
  struct Row {
    std::string key;
    bool exists = false;
    std::string bytes;
  };
  // What to read: single rows, and at most one range with the snapshot to read it from.
  std::vector<std::string> wanted;
  std::string prefix;  // all rows that begin with it; empty: none
  store::Snapshot snapshot;

  // What came of it.
  std::vector<Row> rows;  // by key
  bool scanned = false;
  std::vector<std::pair<std::string, std::string>> range;  // what follows the prefix, and the row
  std::optional<Error> error;

  bool empty() const { return wanted.empty() && prefix.empty(); }
  const Row* Find(std::string_view key) const;  // nullptr: it was not read
  // Reads what they want from the store and forgets that they did.
  static void RunAll(std::span<Fetch* const> fetches, store::Store& store);

 private:
  void TakeRow(store::Store::Lookup& lookup);
  void RunRange();

  size_t read_bytes_ = 0;  // of one RunAll
};

}  // namespace sluice::shard
