// FileTopology: the topology in one file of the data directory, replaced whole at every change.
//
// Owns:     the file `topology` in its directory. Borrows the file system.
// Failure:  as in topology.h. Load: kCorrupt or kInvalid name the file; nothing was changed.
#pragma once

#include <mutex>
#include <string>

#include "env/env.h"
#include "route/topology.h"

namespace sluice::route {

class FileTopology final : public Topology {
 public:
  static constexpr const char* kFileName = "topology";

  FileTopology(env::FileSystem& files, std::string dir);

  // Before the first Load of a process that is to serve by it: what a crash left of a swap goes,
  // and what Load finds is durable, also if the process ended between renaming and syncing.
  //   kIo, kNoSpace  it may not be; another try may do.
  Status Recover();
  Result<TopologyContent> Load() override;
  Status CompareAndSwap(uint64_t expected, const TopologyContent& content) override;

 private:
  Result<TopologyContent> LoadLocked();

  env::FileSystem& files_;
  const std::string dir_;
  std::mutex mutex_;
};

}  // namespace sluice::route
