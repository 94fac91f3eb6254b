// Reshaper: orders jobs about a machine's shards, and does their work, as the thread of jobs does.
//
// Threads:  one.
#pragma once

#include <functional>
#include <string>

#include "base/prng.h"
#include "ingest/map_hands.h"
#include "project/shard_book.h"
#include "rebalance/jobs.h"
#include "sim/scene.h"

namespace sluice::sim {

class Reshaper {
 public:
  // `wait`: others act for a moment. `in_turn`: a lane waits in the middle of a turn.
  Reshaper(Scene& scene, ingest::Node& node, route::Topology& topology, route::TopologyContent now,
           project::ShardBook& book, Prng& prng, std::function<void()> wait,
           std::function<bool()> in_turn);

  // Once in a while orders something, or pauses, resumes or aborts what was ordered.
  void Order();
  // What is paused goes on.
  void ResumeAll();
  void Step();
  uint64_t done() const;  // jobs, of the last rebalance::kEndedMax
  bool Idle() const { return jobs_.under_way() == 0; }
  std::string DrawToken(const model::Shard& shard);
  // As of rebalance::Hands.
  std::shared_ptr<const route::TopologyContent> Now() const { return hands_.Now(); }
  bool Settled() const { return hands_.Settled(); }
  rebalance::Jobs& jobs() { return jobs_; }
  const rebalance::Jobs& jobs() const { return jobs_; }

 private:
  void OrderJob();
  void Disturb(const rebalance::JobReport& job);

  Scene& scene_;
  ingest::Node& node_;
  Prng& prng_;
  ingest::MapHands hands_;
  rebalance::Jobs jobs_;
  uint64_t next_us_ = 0;
};

}  // namespace sluice::sim
