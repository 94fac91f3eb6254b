// NamesFile remembers some of the projections across restarts: those that an operator paused, those
// that were seeded.
//
// Owns:     one file in the data directory.
// Threads:  one; it waits for the disk.
// Format:   docs/formats/names.md
#pragma once

#include <set>
#include <string>
#include <utility>

#include "base/status.h"
#include "env/env.h"

namespace sluice::app {

using Names = std::set<std::string>;

class NamesFile {
 public:
  // `what`: "paused", "seeded"; so is the file named.
  NamesFile(env::FileSystem& files, std::string dir, std::string what)
      : files_(files), dir_(std::move(dir)), what_(std::move(what)) {}

  // None when there is no file. kInvalid, kCorrupt: it is not one, or of a newer format; kIo.
  Result<Names> Read() const;
  // All or nothing, and durable.
  Status Write(const Names& names);

 private:
  std::string Head() const;

  env::FileSystem& files_;
  const std::string dir_, what_;
};

}  // namespace sluice::app
