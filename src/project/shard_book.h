// ShardBook: the shards that each keyspace ever had since the start, for those who read the log.
//
// Whoever changes the map lets the book learn it first: then a record's shard is in the book before
// the record is in the log.
//
// Threads:  any; one lock, held briefly.
// Bounds:   an entry for each shard there is or was (route/map_change.h).
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "model/shard_map.h"
#include "project/tail.h"

namespace sluice::project {

class ShardBook {
 public:
  void Learn(const model::ShardMap& map);
  // The same object until there is a new one.
  std::shared_ptr<const SourceShards> Of(model::KeyspaceId keyspace) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<model::KeyspaceId, std::shared_ptr<const SourceShards>> shards_;
};

}  // namespace sluice::project
