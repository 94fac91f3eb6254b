// Node: which of CPU, fsync, disk bytes and network ends first on one node, and what a key and a
// write cost.
//
// Each resource carries so many writes a second:
//   CPU      lanes x writes_per_lane
//   fsync    1 / sync_seconds syncs, each of which pays for 1 / syncs_per_write writes at least
//   disk     disk_bytes_per_second / (record_bytes x write_amplification)
//   network  network_bytes_per_second / bytes of a request, its reply, and their headers
// The least of them is the node's. Defaults are those of figures.h; who measured brings others.
//
// Threads:  any; pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "plan/figures.h"

namespace sluice::plan {

struct NodeFigures {
  double lanes = 1;
  double writes_per_lane = kWritesPerLane;
  double sync_seconds = kSyncSeconds;
  double syncs_per_write = kSyncsPerWriteLeast;
  double key_bytes = kMeasuredKeyBytes, value_bytes = kMeasuredValueBytes;
  double log_bytes_per_write = 0;  // 0: what figures.h says of values of this size
  double write_amplification = kWriteAmplification;
  double space_amplification = kSpaceAmplification;
  double disk_bytes_per_second = kDiskBytesPerSecond;
  double network_bytes_per_second = 125'000'000;  // 1 Gbit/s
};

struct Resource {
  std::string_view name;  // "cpu", "fsync", "disk", "network"
  double carries = 0;     // writes a second
  double use = 0;         // share of it that the load asks for
  std::string how;        // the arithmetic
};

struct NodePlan {
  std::array<Resource, 4> resources;
  size_t first = 0;             // of them, which ends first
  double carries = 0;           // writes a second of the whole node
  double nodes = 0;             // of its kind, for the load with headroom
  double log_bytes = 0;         // of a write
  double disk_write_bytes = 0;  // of a write, merging included
  double disk_key_bytes = 0;    // of a key that is kept
  double ram_key_bytes = 0;     // of a key in the store: its place in the filter
};

NodePlan PlanNode(const NodeFigures& figures, double writes, double headroom);

}  // namespace sluice::plan
