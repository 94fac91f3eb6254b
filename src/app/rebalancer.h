// Rebalancer: the thread on which jobs about shards work.
//
// Owns:     the jobs and the thread. Borrows the rest.
// Threads:  Start and Stop by one. Jobs as they say.
// Failure:  none; a job that fails says so.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "app/heat_watch.h"
#include "app/lane_halt.h"
#include "env/env.h"
#include "ingest/map_hands.h"
#include "meter/registry.h"
#include "project/shard_book.h"
#include "rebalance/jobs.h"
#include "route/topology.h"

namespace sluice::app {

class Rebalancer {
 public:
  Rebalancer(ingest::Node& node, route::Topology& topology, route::TopologyContent now,
             env::Env env, project::ShardBook& book, const HeatWatch& heat);
  ~Rebalancer() { Stop(); }

  // Lanes run.
  void Start();
  // No job begins or changes anything afterwards. Lanes still run, or have ended.
  void Stop();

  rebalance::Jobs& jobs() { return jobs_; }
  void AddMeters(meter::Registry& registry) { registry.Add(hands_.meters()); }

 private:
  void Run();

  env::Env env_;
  LaneHalt halt_;
  ingest::MapHands hands_;
  rebalance::Jobs jobs_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::app
