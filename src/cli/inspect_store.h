// `sluice inspect store DIR`: what a stopped node's store holds, read and never changed.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "env/env.h"

namespace sluice::cli {

struct InspectStoreOptions {
  bool json = false;                // one JSON object a line
  bool verify = false;              // every checksum, of rows that are no longer visible too
  std::optional<std::string> keys;  // lists the keys that begin with this
  std::optional<std::string> key;   // shows all rows of this key
};

// Lists tables, positions, keyspaces and how many rows of each kind they have. `dir` is a data
// directory. Reads all of it once; safe while no node runs on it.
// Returns the exit status. 0: done. 3: damage; the last line says where. 1: there is no store, or
// it cannot be read.
int InspectStore(env::FileSystem& files, const std::string& dir, const InspectStoreOptions& options,
                 std::ostream& out);

}  // namespace sluice::cli
