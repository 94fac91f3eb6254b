// Run: plays the script to its end and keeps what is told of it.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/scale/fleet.h"
#include "sim/scale/script.h"

namespace sluice::sim::scale {

inline constexpr uint64_t kSampleSeconds = 10;

// Of kSampleSeconds: loads are those of the last, by what is carried; shares are of all of it.
struct Sample {
  double writes = 0;                          // wanted a second
  double mean = 0, p99 = 0, most = 0;         // of nodes
  double shard_most = 0;                      // of shards
  double refused = 0, refused_elsewhere = 0;  // shares; elsewhere: not on shards that are named
  size_t shards = 0, jobs = 0;
  Totals totals;
};

// What became of an event until the next one.
struct Outcome {
  std::optional<uint64_t> calm_s;        // after which it stayed calm to the next
  std::optional<uint64_t> named_s = {};  // after which the balancer said what it must
  double most = 0;                       // load of any node
  double refused = 0;                    // share of writes
  bool good = false;                     // both in time
};

struct Result {
  uint64_t seed = 0;
  size_t nodes = 0;
  rebalance::Mode mode = rebalance::Mode::kOn;
  size_t shards = 0;  // at the beginning
  std::vector<Event> events;
  std::vector<Outcome> outcomes = {};  // of each event
  std::vector<Sample> samples = {};
  std::vector<std::string> warnings = {};  // the first of each trouble
  Totals totals = {};
  double critical_refused = 0;  // writes
  bool good = false;            // all outcomes are, no critical write was refused, none misplaced
};

// Calm: no node has more to do than this share of what it carries, and next to nothing is refused
// but where no shard helps.
inline constexpr double kCalmMost = 0.9, kCalmRefused = 0.0005;

// `decide`: another than the balancer, to see what a broken one does.
Result PlayScript(uint64_t seed, size_t nodes, rebalance::Mode mode,
                  Decider decide = rebalance::Decide);

}  // namespace sluice::sim::scale
