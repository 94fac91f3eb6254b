// Script: what the fleet's clients do over 80 minutes, and how soon each change should be digested.
//
// Four keyspaces with a tenth of a node's writes on each shard: likes (hash, low), profiles (three
// regions with tags, normal), orders (hash, critical), logs (range over devices, low). A fifth,
// audit, gets its keys in the order of time.
//
// Threads:  none.
#pragma once

#include <string>
#include <vector>

#include "base/prng.h"
#include "sim/scale/fleet.h"

namespace sluice::sim::scale {

struct Event {
  uint64_t at_s = 0;
  std::string what;
  uint64_t calm_within_s = 0;  // of it
  // What the balancer has to say of it, and the word that its warning must hold.
  std::optional<rebalance::Trouble> named = {};
  std::string about = {};
};

inline constexpr uint64_t kScriptSeconds = 80 * 60;
inline constexpr size_t kNodesLeast = 6;  // two of each region

class Script {
 public:
  // Requires: nodes >= kNodesLeast.
  Script(uint64_t seed, size_t nodes);

  // What the fleet is made of: ten shards and 100,000 writes a second for each node.
  const Plan& plan() const { return plan_; }
  const std::vector<Event>& events() const { return events_; }
  // Before each second.
  void Play(Fleet& fleet);

 private:
  enum SpaceIndex : size_t { kLikes, kIndia, kEurope, kStates, kOrders, kLogs, kAudit, kBuckets };

  void MakePlan(uint64_t seed, size_t nodes);
  void MakeSpaces(size_t nodes);
  void Celebrities(Fleet& fleet);

  Prng prng_;
  size_t celebrities_;
  Plan plan_;
  std::vector<Event> events_;
};

}  // namespace sluice::sim::scale
