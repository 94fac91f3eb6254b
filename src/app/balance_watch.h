// BalanceWatch: asks the balancer every kLookUs what it would do about the node's shards, tells it
// in the log and in meters, and starts the jobs where settings allow it.
//
// Borrows:  all that it is made with.
// Threads:  Look from one; the meters from any.
// Failure:  none; a job that does not begin is said, and its shard left alone for the cooldown.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/balance_survey.h"
#include "app/heat_watch.h"
#include "env/env.h"
#include "ingest/lane.h"
#include "meter/meter.h"
#include "rebalance/jobs.h"

namespace sluice::app {

inline constexpr meter::Label<rebalance::Kind, 3> kProposalKinds{"kind",
                                                                 {"split", "merge", "move"}};
inline constexpr meter::Label<rebalance::Trouble, 5> kTroubles{
    "trouble", {"hot_key", "tail", "skew", "no_owner", "full"}};

struct BalanceMeters : meter::Set {
  meter::Per<meter::Gauge, kProposalKinds> proposals{
      *this, "sluice_rebalance_proposals",
      "Jobs that the balancer would start now, whether or not it may."};
  meter::Per<meter::Counter, kProposalKinds> started{*this, "sluice_rebalance_started_total",
                                                     "Jobs that the balancer has started."};
  meter::Per<meter::Gauge, kTroubles> warnings{
      *this, "sluice_rebalance_warnings",
      "What the balancer finds now that no job would cure; the log says what would."};
};

class BalanceWatch {
 public:
  static constexpr uint64_t kLookUs = 2'000'000;
  static constexpr uint64_t kTellAgainUs =
      600'000'000;  // what still holds is told again after this

  BalanceWatch(const ingest::Node& node, const HeatWatch& heat, rebalance::Jobs& jobs,
               env::Clock& clock)
      : node_(node), heat_(heat), jobs_(jobs), clock_(clock) {}

  bool due() const { return clock_.MonotonicUs() >= next_us_; }
  void Look(const config::Config& config);

  const BalanceMeters& meters() const { return meters_; }

 private:
  void Tell(const rebalance::Decision& decision);
  void Begin(const rebalance::Proposal& proposal);
  // True when it has not been told lately.
  bool IsNews(const std::string& what);

  const ingest::Node& node_;
  const HeatWatch& heat_;
  rebalance::Jobs& jobs_;
  env::Clock& clock_;
  Surveyor surveyor_;
  BalanceMeters meters_;
  uint64_t next_us_ = 0;
  std::map<std::string, uint64_t> told_us_;  // forgotten after kTellAgainUs
};

}  // namespace sluice::app
