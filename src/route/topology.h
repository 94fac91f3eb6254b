// Topology: the keyspace catalogue and the shard map, the one durable truth besides the log.
//
// Changed only by compare-and-swap on its version, ahead of or equal to the log's epochs. A local
// file today; etcd when there are nodes. One conformance suite for every implementation.
//
// Threads:  any; calls are serialised inside.
// Failure:  CompareAndSwap: kConflict when the version is not `expected`: nothing changed.
//           kNoSpace, kIo: the old or the new content stands, whole; Load says which.
// Format:   docs/formats/topology.md
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "model/keyspace.h"
#include "model/shard_map.h"

namespace sluice::route {

struct TopologyContent {
  uint64_t version = 0;  // 0: never written
  uint64_t node = 0;     // this node's identity, drawn when the directory was made
  uint32_t next_shard_id = 1;
  uint16_t next_keyspace_id = 1;
  std::vector<model::Keyspace> catalogue;
  std::shared_ptr<const model::ShardMap> map;
  uint16_t lanes = 0;  // that the node had when it placed the map's shards; 0: it never did
};

class Topology {
 public:
  virtual ~Topology() = default;
  // Version 0 and an empty catalogue when there is none yet.
  //   kCorrupt  what is stored fails its checks. kInvalid: it is of a newer version.
  virtual Result<TopologyContent> Load() = 0;
  // Replaces the content if its version is `expected`; the new content gets version expected + 1.
  // Requires: content.map is there.
  virtual Status CompareAndSwap(uint64_t expected, const TopologyContent& content) = 0;
};

}  // namespace sluice::route
