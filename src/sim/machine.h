// Machine: one life of a node in the simulator: from opening the disk to its end. The same lanes,
// log, sessions and recovery as in the real program, taken step by step in one thread.
//
// An actor stands for a thread of the program: each lane, the log, the store, the readers, who
// prepares segments, and the projections. A step lets one of them act. While one waits for the
// disk, others may act: Step() may be called from inside a call to the disk, and leaves out who is
// waiting.
//
// Owns:     everything that dies with the process. Borrows the scene (disk, clock, entropy), the
//           trouble and the store's medium, which live on.
// Threads:  one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/users.h"
#include "base/prng.h"
#include "config/config.h"
#include "ingest/recovery.h"
#include "log/committer.h"
#include "log/file_log.h"
#include "project/shard_book.h"
#include "route/topology_file.h"
#include "server/connections.h"
#include "server/context.h"
#include "sim/carrier.h"
#include "sim/reshaper.h"
#include "sim/scene.h"
#include "store/memory_store.h"

namespace sluice::sim {

struct MachineOptions {
  config::Config config;
  // What the real program derives from server.memory and from constants of its own.
  uint64_t segment_bytes = 64 << 10;
  size_t buffer_bytes = 64 << 10;  // small, so that runs reach the store during a run
  size_t recent_bytes = 64 << 10;
  uint64_t log_bytes = 64 << 10;
  uint64_t once_bytes = 64 << 10;
  size_t queue_bytes = 1 << 20;
  bool sheds = false;  // the node may hold writes back
};

class Machine {
 public:
  Machine(Scene& scene, const Trouble& trouble, std::shared_ptr<store::MemoryStore::Medium> medium,
          MachineOptions options, Prng& prng);
  ~Machine();

  // Opens and recovers. kIo, kNoSpace, kOutcomeUnknown when the disk fails in between; anything
  // else is a defect of Sluice.
  Status Boot();
  bool serving() const { return serving_; }

  void Step();
  size_t actors() const { return lanes_.size() + 6; }
  size_t lanes() const { return lanes_.size(); }
  // The log failed, and all connections were told: the process exits.
  bool failed() const;
  // Nobody waits for anything.
  bool Idle() const;
  // All write buffers go into the store, so that nothing of the log is needed any more, which
  // LogIsFree says once it is so.
  void StoreAll();
  bool LogIsFree() const { return trimmed_ >= committer_->appended(); }

  uint64_t Connect(size_t lane);
  void Disconnect(size_t lane, uint64_t connection);
  void Send(size_t lane, uint64_t connection, std::string_view bytes);
  // What has left for the client since the last call; nothing: the connection has ended.
  std::optional<std::string> Take(size_t lane, uint64_t connection);

  // A clean stop: connections end when they are answered; once all have, the marker is written and
  // the buffers go into the store.
  void BeginStop();
  bool Drained() const;
  void EndStop();

  const log::RecoveryReport& log_report() const { return log_report_; }
  const ingest::RecoveryProgress& replayed() const { return recovery_->progress(); }
  size_t stored_runs() const { return background_.stored; }
  uint64_t reshaped() const { return reshaper_ ? reshaper_->done() : 0; }  // jobs that were done
  Reshaper& reshaper() { return *reshaper_; }
  uint64_t folded() const;  // writes that are a part of an earlier one's record

 private:
  class Jobs final : public ingest::Background {
   public:
    explicit Jobs(Machine& machine) : machine_(machine) {}
    void Offload(model::LaneId lane, std::function<void(store::Store&)> work,
                 ingest::Task then) override;
    void Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) override;
    std::optional<Code> StoreTrouble() const override { return trouble_; }
    void Read();
    void StoreOne();
    bool reading() const { return !reads_.empty(); }
    size_t stored = 0;

   private:
    struct ReadJob {
      model::LaneId lane;
      std::function<void(store::Store&)> work;
      ingest::Task then;
    };
    struct StoreJob {
      model::LaneId lane;
      store::Run run;
      model::Lsn last;
      ingest::Task then;
    };
    Machine& machine_;
    std::vector<ReadJob> reads_;
    std::deque<StoreJob> stores_;
    std::optional<Code> trouble_;
  };

  Status OpenTopology();
  Status OpenStoreAndLog();
  void MakeLanes();
  store::MemoryStore::Fate FateOfApply();
  void FollowLimit();
  void Act(size_t actor);
  void Turn(size_t lane);
  void ReadSockets(size_t lane);
  void PumpLog();

  Scene& scene_;
  const Trouble& trouble_;
  std::shared_ptr<store::MemoryStore::Medium> medium_;
  const MachineOptions options_;
  Prng& prng_;
  Jobs background_{*this};
  auth::LiveUsers users_{{}};
  std::unique_ptr<route::FileTopology> topology_;
  std::shared_ptr<route::Policies> policies_;
  std::shared_ptr<const route::Router> router_;
  project::ShardBook shard_book_;
  route::TopologyContent wanted_;
  bool topology_changed_ = false;
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<log::FileLog> log_;
  log::RecoveryReport log_report_;
  std::unique_ptr<ingest::Fabric> fabric_;
  std::unique_ptr<ingest::Node> node_;
  std::vector<std::unique_ptr<ingest::Lane>> lanes_;
  std::unique_ptr<ingest::Recovery> recovery_;
  std::unique_ptr<log::Committer> committer_;
  std::unique_ptr<Carrier> carrier_;
  std::unique_ptr<Reshaper> reshaper_;
  std::unique_ptr<server::Context> context_;
  std::vector<std::unique_ptr<server::Connections>> connections_;
  std::vector<std::map<uint64_t, std::string>> input_;  // by lane and connection, not yet read
  std::vector<uint64_t> next_tick_us_;                  // by lane
  std::vector<bool> told_;   // by lane: its connections know that the log failed
  std::vector<bool> waits_;  // by actor: it is inside a call to the disk
  std::vector<uint64_t> touched_;
  model::Lsn trimmed_;
  model::Rate limit_;  // that holds
  bool serving_ = false, stopping_ = false;
};

}  // namespace sluice::sim
