// Fleet: many nodes that own the shards of some keyspaces, and the balancer that looks at them.
//
//   spaces()  what is written; whoever plays the load changes it between two seconds.
//   Second()  plays one second: writes come, nodes admit and run what they can, heat is counted,
//             jobs go on, and every kLookSeconds the balancer decides.
//
// The balancer, admission and the windows of heat are those of a node; what they stand on is a
// model: a shard is one writer with a capacity; a node carries so many writes a second; a move
// copies the shard's bytes, which costs both nodes, and pauses its writes for kMovePauseUs at the
// end; a split or a merge pauses them for kSplitPauseUs. The balancer knows what was carried, not
// what was wanted: with an error of up to kErrorMost, as counted in windows.
//
// Owns:     all of it.
// Threads:  none. The same seed, the same run.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "base/prng.h"
#include "heat/windows.h"
#include "rebalance/balancer.h"
#include "sim/scale/load.h"
#include "sim/scale/node.h"

namespace sluice::sim::scale {

inline constexpr uint64_t kSecondUs = 1'000'000;
inline constexpr uint64_t kLookSeconds = 5;

using Decider =
    std::function<rebalance::Decision(const rebalance::Survey&, const rebalance::Settings&)>;

struct Plan {
  uint64_t seed = 1;
  std::vector<rebalance::SurveyedKeyspace> keyspaces;
  std::vector<rebalance::SurveyedOwner> owners;
  std::vector<Space> spaces;
  std::vector<size_t> shards;  // of each space, to begin with; cut evenly, owners drawn at random
  rebalance::Settings settings;
  Decider decide = rebalance::Decide;
};

// What a second was like.
struct Second {
  double wanted = 0, refused = 0;  // writes
  double refused_named = 0;        // of these, on shards that a warning names
  double critical_refused = 0;
  std::vector<double> nodes;  // what each had to do, by what it carries
  double shard_most = 0;      // what the busiest shard was asked for, by what it carries
  size_t shards = 0, jobs = 0;
};

// Since the start.
struct Totals {
  size_t splits = 0, moves = 0, merges = 0;
  double paused_writes = 0;  // that waited for the end of a job
  uint64_t pause_us_most = 0;
  uint64_t copied_bytes = 0;
  size_t misplaced = 0;  // seconds of shards at owners without their region's tag
};

class Fleet {
 public:
  explicit Fleet(Plan plan);

  uint64_t seconds() const { return seconds_; }
  std::vector<Space>& spaces() { return plan_.spaces; }
  const rebalance::SurveyedKeyspace& keyspace(size_t i) const { return plan_.keyspaces[i]; }
  void Second(Second* second);
  const Totals& totals() const { return totals_; }
  const rebalance::Decision& decision() const { return decision_; }  // the last

  // A space is written to from now on, beginning with `shards`.
  void AddSpace(Space space, size_t shards);

 private:
  static constexpr uint64_t kMovePauseUs = 200'000, kSplitPauseUs = 50'000;
  static constexpr double kErrorMost = 0.05;

  struct Shard {
    model::ShardId id;
    size_t space = 0, owner = 0;
    double from = 0, to = 1;
    heat::Windows windows = {};
    uint64_t changed_us = 0;
    bool busy = false;
    std::optional<size_t> moving_to = {};
    double wanted = 0, offered = 0;  // writes of this second
    bool named = false;              // a warning is about it
  };
  struct Job {
    rebalance::Proposal proposal;
    double seconds_left = 0;
    double bytes_left = 0;
  };

  uint64_t now_us() const;
  size_t Find(model::ShardId id) const;
  uint64_t BytesOf(const Shard& shard) const;
  void Ask(scale::Second* second);
  void RunNodes(scale::Second* second);
  void Work();
  void End(const rebalance::Proposal& proposal);
  void Look();
  rebalance::Survey Survey() const;
  void Begin(const rebalance::Proposal& proposal);

  Plan plan_;
  Prng prng_;
  std::deque<Node> nodes_;
  std::vector<Node::Done> done_;  // of the last second
  std::vector<Shard> shards_;     // by space, then from
  std::vector<Job> jobs_;
  uint64_t seconds_ = 0;
  uint32_t next_id_ = 1;
  Totals totals_;
  rebalance::Decision decision_;
};

}  // namespace sluice::sim::scale
