// DataDir: the one directory that holds everything a node knows, owned by one process at a time.
//
//   DIR/LOCK      held (flock) while a process has the directory
//   DIR/topology  the keyspace catalogue and the shard map
//   DIR/log/      segments
//   DIR/store/    RocksDB
//
// Threads:  one.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace sluice::app {

class DataDir {
 public:
  // Takes the directory; makes it if only its last part is missing.
  //   kNotFound  its parent does not exist. kConflict: another process holds it. kInvalid: it holds
  //   files that are not Sluice's, or cannot be written; nothing was changed.
  static Result<std::unique_ptr<DataDir>> Open(const std::string& path);
  ~DataDir();

  const std::string& path() const { return path_; }

 private:
  DataDir(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

}  // namespace sluice::app
