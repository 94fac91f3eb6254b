// HeatFiles keeps the heat history of each keyspace across restarts.
//
// Heat is no truth: what cannot be read is set aside and begun anew, what cannot be written is
// tried again later. Neither stops the node.
//
// Owns:     DATA/heat, one file for each keyspace that was written to.
// Threads:  one; it waits for the disk.
// Format:   docs/formats/heat.md
#pragma once

#include <optional>
#include <string>

#include "env/env.h"
#include "heat/history.h"

namespace sluice::app {

class HeatFiles {
 public:
  HeatFiles(env::FileSystem& files, const std::string& data_dir)
      : files_(files), dir_(data_dir + "/heat") {}

  // None when there is no file, or none that can be read: it is then renamed to NAME.unreadable.
  std::optional<heat::History> Read(model::KeyspaceId keyspace, uint64_t seed);
  // As a whole, or not.
  void Write(model::KeyspaceId keyspace, std::string_view bytes);

 private:
  env::FileSystem& files_;
  const std::string dir_;
  bool failing_ = false;  // said once, until it works again
};

}  // namespace sluice::app
