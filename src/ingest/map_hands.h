// MapHands: what the jobs do to a node's map and lanes (rebalance/hands.h).
//
// Owns:     what was committed last. Borrows node and topology.
// Threads:  as of Hands. Lanes stand still only for as long as Reshape takes.
// Failure:  see Commit. After kOutcomeUnknown nothing is committed until the next start.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/env.h"
#include "ingest/lane.h"
#include "meter/meter.h"
#include "rebalance/hands.h"
#include "route/topology.h"

namespace sluice::ingest {

struct MapMeters : meter::Set {
  meter::Histogram rest{*this,
                        "sluice_rebalance_rest_seconds",
                        "For how long sockets rested until the lanes took a new map over.",
                        {.unit = meter::Unit::kMicroseconds}};
  meter::Histogram halt{*this,
                        "sluice_rebalance_halt_seconds",
                        "For how long all lanes stood still for a new map.",
                        {.unit = meter::Unit::kMicroseconds}};
  meter::Counter attempts{*this, "sluice_rebalance_takeovers_total",
                          "Times that the lanes were asked to take a new map over."};
};

class MapHands final : public rebalance::Hands {
 public:
  // Runs its argument while no lane is in a turn; false: the lanes did not stop in time.
  using Still = std::function<bool(const std::function<void()>&)>;
  // Learns a map before the lanes take it over.
  using Learn = std::function<void(const model::ShardMap&)>;
  // As of Hands::LoadMedian.
  using Median = std::function<Result<std::string>(const model::Shard&)>;
  struct Ways {
    Still still;
    Learn learn;
    Median median;
    std::function<uint64_t()> draw;
    std::function<void(uint64_t us)> sleep;  // the jobs' thread
  };
  // `now`: what is in the topology, and what the node's router was made of.
  MapHands(Node& node, route::Topology& topology, route::TopologyContent now, env::Clock& clock,
           Ways ways);

  std::shared_ptr<const route::TopologyContent> Now() const override;
  size_t lanes() const override { return node_.lanes.size(); }
  uint64_t Draw() override { return ways_.draw(); }
  Result<std::string> LoadMedian(model::ShardId shard) override;
  Result<std::string> TokenOf(const model::Shard& shard, const std::string& key) override;
  std::string Admit() override;
  uint64_t RestUs() const override { return node_.budget.Rest(rebalance::kRestUsMost); }
  void BeginStore(model::LaneId lane) override;
  uint64_t Stored(model::LaneId lane) const override;
  Status Commit(const route::TopologyContent& next) override;
  std::string TakeOver() override;
  bool Settled() const override;
  Result<std::string> Verify() override;

  MapMeters& meters() { return meters_; }

 private:
  void SetNow(route::TopologyContent now);

  Node& node_;
  route::Topology& topology_;
  env::Clock& clock_;
  const Ways ways_;
  MapMeters meters_;
  std::vector<std::shared_ptr<std::atomic<uint64_t>>> stored_;  // by lane
  bool unknown_ = false;                                        // what the topology holds
  uint64_t walked_from_us_ = 0;  // whenever it was looked since, keys were walked over; 0: not

  mutable std::mutex mutex_;  // guards:
  std::shared_ptr<const route::TopologyContent> now_;
};

}  // namespace sluice::ingest
