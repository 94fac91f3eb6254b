// Ahead: a command that stands in a session's input, and what its lane worked out about it before
// it runs.
//
// The rows that commands need lie anywhere in memory; waiting for each in turn is most of what a
// write costs. So a session parses some commands ahead, and the lane asks for the memory of all of
// them at once (Lane::Foresee).
//
// Threads:  none; the lane's own. The commands' bytes are the session's.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "command/command.h"
#include "model/keyspace.h"
#include "store/buffer.h"

namespace sluice::route {
class Router;
}

namespace sluice::ingest {

// Where a key lies, as `router` says.
struct Placement {
  const route::Router* router = nullptr;
  const model::Keyspace* keyspace = nullptr;
  size_t shard = 0;
  std::string token, value_key_bytes;
  store::HashedKey value_key;
};

struct Ahead {
  const command::Spec* spec = nullptr;  // what the command table has under its name; null: nothing
  std::vector<std::string_view> args;
  size_t bytes = 0;  // of the session's input

  // Lane::Foresee finds out; null: it did not. Commands with one key share what the first found.
  const Placement* placed = nullptr;
  Placement own;
};

// Commands parsed ahead. More of them would find the first ones' memory gone from the cache.
inline constexpr size_t kAheadMax = 16;
using Lookahead = std::array<Ahead, kAheadMax>;

}  // namespace sluice::ingest
