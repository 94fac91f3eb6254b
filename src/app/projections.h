// Projections: the configured projections of a node, each on a thread of its own, and what they may
// hold of the log.
//
// Owns:     sinks, projectors and threads. Borrows the node.
// Threads:  Start and Stop from one; needs from the log's; all else from any.
// Bounds:   at log.keep a projection is given up (on_full = "stop"), or writes are refused
//           (on_full = "block"); kProjectionWaitsMax of SLUICE WAIT, kProjectionOrdersMax of PAUSE
//           and RESUME.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "app/names_file.h"
#include "app/node_process.h"
#include "app/seed_road.h"
#include "meter/registry.h"
#include "project/projector.h"
#include "project/sink.h"
#include "server/projections.h"

namespace sluice::app {

class Projections final : public server::Projections {
 public:
  // The node has recovered. kInvalid: a sink that cannot be what it is asked to be.
  static Result<std::unique_ptr<Projections>> Open(const config::Config& config, NodeProcess& node);
  ~Projections() override;

  // The node has started.
  Status Start();
  // Ends the threads; what is under way in a sink is cut off, and found out at the next start.
  void Stop();

  // The node is about to stop: who waits for a sink or an order is answered, and nobody waits from
  // now on.
  void EndWaits();

  // All records behind it must stay in the log.
  model::Lsn needs() const;
  void AddMeters(meter::Registry& registry) const;

  const std::vector<project::Projector*>& All() const override { return all_; }
  Status Wait(const project::Projector& projector, model::Lsn lsn, uint64_t timeout_ms,
              std::function<void(bool)> then) override;
  Status SetPaused(project::Projector& projector, bool paused,
                   std::function<void(const Status&)> then) override;

 private:
  // What is asked of a projection when somebody looks.
  struct Readings : meter::Set {
    explicit Readings(const project::Projector& projector);
    std::vector<meter::Reading> all;
  };
  struct One {
    std::unique_ptr<project::Sink> sink;
    std::unique_ptr<SeedRoad> seed;  // of adopt = "seed"
    std::unique_ptr<project::Projector> projector;
    std::unique_ptr<Readings> readings;
    bool blocks = false;  // on_full
    std::thread thread;
  };
  struct Waiter {
    const project::Projector* projector;
    model::Lsn lsn;
    uint64_t deadline_us;
    std::function<void(bool)> then;
  };

  struct PauseOrder {
    project::Projector* projector;
    bool paused;
    std::function<void(const Status&)> then;
  };

  Projections(const config::LogConfig& log, NodeProcess& node)
      : node_(node),
        log_(log),
        seeded_(NamesFile(node.env().files, node.dir(), "seeded")),
        paused_file_(node.env().files, node.dir(), "paused") {}
  Status Add(const config::ProjectionConfig& config);
  model::Lsn HeldAtStart() const;
  void Run(project::Projector& projector);
  void Watch();
  void AnswerWaiters(uint64_t now_us);
  void KeepPauses();
  void BoundLog();

  NodeProcess& node_;
  const config::LogConfig log_;
  Seeded seeded_;
  NamesFile paused_file_;
  Names paused_;  // of those that are configured; Watch's own from the start on
  uint64_t keep_bytes_ = 0;
  std::vector<One> ones_;
  std::vector<project::Projector*> all_;
  std::thread watch_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable stop_, waits_;
  bool stopping_ = false, waits_ended_ = false;
  bool asked_ = false;  // somebody waits who did not when Watch looked
  std::vector<Waiter> waiters_;
  std::vector<PauseOrder> pauses_;
};

}  // namespace sluice::app
