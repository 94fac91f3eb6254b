// PausedFile remembers which projections an operator paused, across restarts.
//
// Owns:     the file `paused` in the data directory.
// Threads:  one; it waits for the disk.
// Format:   docs/formats/paused.md
#pragma once

#include <set>
#include <string>
#include <utility>

#include "base/status.h"
#include "env/env.h"

namespace sluice::app {

using PausedNames = std::set<std::string>;

class PausedFile {
 public:
  PausedFile(env::FileSystem& files, std::string dir) : files_(files), dir_(std::move(dir)) {}

  // None when there is no file. kInvalid, kCorrupt: it is not one, or of a newer format; kIo.
  Result<PausedNames> Read() const;
  // All or nothing, and durable.
  Status Write(const PausedNames& names);

 private:
  env::FileSystem& files_;
  const std::string dir_;
};

}  // namespace sluice::app
