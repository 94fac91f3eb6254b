// Carrier: the projections of a simulated machine, with sinks in memory that live on when it ends,
// are away at times, and at times carry a batch out and never say so.
//
// Owns:     what dies with the process. Borrows the scene, which has the sinks' media.
// Threads:  one.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "config/config.h"
#include "ingest/own_writes.h"
#include "log/log.h"
#include "project/memory_sink.h"
#include "project/projector.h"
#include "project/seeder.h"
#include "project/shard_book.h"
#include "route/policies.h"
#include "server/projections.h"
#include "sim/scene.h"

namespace sluice::sim {

class Carrier final : public server::Projections {
 public:
  Carrier(const config::Config& config, Scene& scene, log::Log& log, ingest::Node& node,
          route::Policies& policies, const project::ShardBook& book, Prng& prng);

  // One of them acts, if its time has come.
  void Step();
  model::Lsn needs() const;

  const std::vector<project::Projector*>& All() const override { return all_; }
  Status Wait(const project::Projector& projector, model::Lsn lsn, uint64_t timeout_ms,
              std::function<void(bool)> then) override;
  Status SetPaused(project::Projector& projector, bool paused,
                   std::function<void(const Status&)> then) override;

 private:
  // Of a sink whose rows seed a keyspace. Each start holds the clients' writes until it is known
  // that they are in the state.
  class Road;
  struct One {
    std::unique_ptr<project::MemorySink> sink;
    std::unique_ptr<project::SeedWriter> road;
    std::unique_ptr<project::Projector> projector;
    uint64_t next_us = 0;
  };
  struct Waiter {
    const project::Projector* projector;
    model::Lsn lsn;
    uint64_t deadline_us;  // 0: none
    std::function<void(bool)> then;
  };

  Scene& scene_;
  Prng& prng_;
  std::vector<One> ones_;
  std::vector<project::Projector*> all_;
  std::vector<Waiter> waiters_;
};

}  // namespace sluice::sim
