// Machine: one life of a node in the simulator: from opening the disk to the power cut. The same
// lanes, log, sessions and recovery as in the real program, taken step by step in one thread.
//
// Owns:     everything that dies with the process. Borrows the world (disk, clock, entropy) and the
//           store's medium, which live on.
// Threads:  one.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "auth/users.h"
#include "base/prng.h"
#include "env/sim/world.h"
#include "ingest/recovery.h"
#include "log/committer.h"
#include "log/file_log.h"
#include "route/topology_file.h"
#include "server/connections.h"
#include "server/context.h"
#include "store/memory_store.h"

namespace sluice::sim {

struct MachineOptions {
  std::string config;  // TOML: keyspaces
  size_t lanes = 2;
  uint64_t segment_bytes = 64 << 10;
  size_t buffer_bytes = 64 << 10;  // small, so that runs reach the store during a script
  uint64_t log_bytes = 64 << 10;
};

class Machine {
 public:
  Machine(env::SimWorld& world, std::shared_ptr<store::MemoryStore::Medium> medium,
          const MachineOptions& options, Prng& prng);
  ~Machine();

  // Opens and recovers. kIo when the power fails in between; kCorrupt is a defect of Sluice.
  Status Boot();

  // One step of the node, chosen by the seed: a lane's turn, a group of the log, a job in the
  // background.
  void Step();
  void Turn(size_t lane);
  bool failed() const { return committer_->failed(); }

  uint64_t Connect(size_t lane);
  void Send(size_t lane, uint64_t connection, std::string_view bytes);
  // What has left for the client since the last call.
  std::string Take(size_t lane, uint64_t connection);

  log::Committer& committer() { return *committer_; }
  const log::RecoveryReport& log_report() const { return log_report_; }
  const ingest::RecoveryProgress& replayed() const { return recovery_->progress(); }
  size_t stored_runs() const { return background_.stored; }

 private:
  class Jobs final : public ingest::Background {
   public:
    explicit Jobs(Machine& machine) : machine_(machine) {}
    void Offload(model::LaneId lane, std::function<void(store::Store&)> work,
                 ingest::Task then) override;
    void Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) override;
    void Step();
    size_t stored = 0;

   private:
    struct Read {
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
    std::vector<Read> reads_;
    std::deque<StoreJob> stores_;
  };

  Status OpenDisk();
  void MakeLanes();
  store::MemoryStore::Fate FateOfApply();

  env::SimWorld& world_;
  std::shared_ptr<store::MemoryStore::Medium> medium_;
  const MachineOptions options_;
  Prng& prng_;
  Jobs background_{*this};
  auth::LiveUsers users_{{}};
  std::unique_ptr<route::FileTopology> topology_;
  std::shared_ptr<const route::Router> router_;
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<log::FileLog> log_;
  log::RecoveryReport log_report_;
  std::unique_ptr<ingest::Fabric> fabric_;
  std::unique_ptr<ingest::Node> node_;
  std::vector<std::unique_ptr<ingest::Lane>> lanes_;
  std::unique_ptr<ingest::Recovery> recovery_;
  std::unique_ptr<log::Committer> committer_;
  std::unique_ptr<server::Context> context_;
  std::vector<std::unique_ptr<server::Connections>> connections_;
  struct Bytes {
    uint64_t connection;
    std::string bytes;
  };
  std::vector<std::deque<Bytes>> input_;  // by lane, not yet read
};

}  // namespace sluice::sim
