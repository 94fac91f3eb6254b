// Fetch: rows that a parked command needs from disk, read off the lane.
//
// The lane makes a Fetch, a pool thread runs it, the lane takes the result back and runs the
// command again. While a fetch is out, no command on its key runs, so what it read stays true.
//
// Failure:  kIo, kCorrupt from reading the store. kInvalid: the rows or the range are longer than a
//           reply may be (command::kReplyBytesMax); the message is the error to reply.
// Threads:  Run on any one thread, with no other access to the fetch at that time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/state.h"

namespace sluice::shard {

struct Fetch {
  struct Row {
    bool exists = false;
    std::string bytes;
  };
  // What to read: single rows, and at most one range with the snapshot to read it from.
  std::vector<std::string> wanted;
  std::string prefix;  // all rows that begin with it; empty: none
  store::Snapshot snapshot;

  // What came of it.
  std::unordered_map<std::string, Row> rows;
  bool scanned = false;
  std::vector<std::pair<std::string, std::string>> range;  // what follows the prefix, and the row
  std::optional<Error> error;

  bool empty() const { return wanted.empty() && prefix.empty(); }
  // Reads what is wanted from the store and forgets that it was.
  void Run(store::Store& store);
};

}  // namespace sluice::shard
