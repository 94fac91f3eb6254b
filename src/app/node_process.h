// NodeProcess: a node in one process: opens the data directory, recovers, and holds what the lanes
// share.
//
//   Open()     takes the directory, reads topology, store and log; refuses what does not fit.
//   Recover()  replays the log; progress() may be asked meanwhile from any thread.
//   Start()    the log begins a term of its own; the lanes may take turns from now on.
//   Stop()     after the lanes stopped: writes what is queued and the clean stop marker.
//
// Owns:     everything but the sockets.
// Threads:  Open, Recover, Start, Stop from one.
// Failure:  an error of Open or Recover leaves the directory as it was, or as a later start repeats
//           it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "app/data_dir.h"
#include "app/disk_watch.h"
#include "app/heat_watch.h"
#include "app/rebalancer.h"
#include "app/threads.h"
#include "config/config.h"
#include "env/linux/clock.h"
#include "env/linux/entropy.h"
#include "env/linux/file_system.h"
#include "ingest/lane.h"
#include "ingest/recovery.h"
#include "log/committer.h"
#include "log/file_log.h"
#include "project/shard_book.h"
#include "route/topology_file.h"
#include "store/rocks_store.h"

namespace sluice::app {

// How server.memory is divided. What is not named here is left to queues, clients and RocksDB's
// own.
struct MemoryPlan {
  uint64_t block_cache_bytes;
  uint64_t key_filter_bytes;
  uint64_t
      buffer_bytes;  // one lane's active buffer; two more of it may be on their way to the store
  uint64_t cache_bytes;   // one lane's rows kept from what the store holds
  uint64_t queue_bytes;   // of the log: appended and not yet durable
  uint64_t client_bytes;  // unfinished commands and unsent replies of all connections
};
MemoryPlan PlanMemory(uint64_t memory_bytes, size_t lanes);

class NodeProcess {
 public:
  static Result<std::unique_ptr<NodeProcess>> Open(const config::Config& config,
                                                   const std::string& dir,
                                                   std::function<void(model::LaneId)> wake);
  ~NodeProcess();

  // kCorrupt as Recovery; kInvalid: a new keyspace would hide keys of `default`.
  Status Recover();
  // `hold`: all records behind it stay in the log.
  Status Start(std::function<void()> on_progress, std::function<model::Lsn()> hold);
  // Takes over what may change while running. Any thread, between Start and Stop.
  void Adopt(const config::Config& config);
  // Clients' writes to the keyspace are refused, or taken again. Any thread.
  void SetSeeding(model::KeyspaceId keyspace, bool seeding) {
    policies_->SetSeeding(keyspace, seeding);
  }
  void Stop();

  ingest::Node& node() { return *node_; }
  ingest::Lane& lane(size_t i) { return *lanes_[i]; }
  size_t lanes() const { return lanes_.size(); }
  log::Committer& committer() { return *committer_; }
  log::FileLog& log() { return *log_; }
  store::RocksStore& store() { return *store_; }
  Threads& threads() { return *threads_; }
  DiskWatch& disk() { return *disk_; }                     // from Start on
  HeatWatch& heat() { return *heat_; }                     // the same
  Rebalancer& rebalancer() { return *rebalancer_; }        // the same
  rebalance::Jobs& jobs() { return rebalancer_->jobs(); }  // from Start on
  project::ShardBook& shard_book() { return shard_book_; }
  const std::string& dir() const { return dir_->path(); }
  // Of the disk that the log lies on.
  Result<uint64_t> FreeLogBytes() { return files_.FreeBytes(dir_->path() + "/log"); }
  env::Env env() { return {clock_, files_, entropy_}; }
  const log::RecoveryReport& log_report() const { return log_report_; }
  const ingest::RecoveryProgress& replayed() const { return recovery_->progress(); }
  uint64_t recovery_us() const { return recovery_us_; }  // that Recover took
  const std::vector<std::string>& notes() const { return notes_; }
  // For /readyz while Recover runs: LSNs replayed and to replay.
  std::pair<uint64_t, uint64_t> progress() const { return {at_.load(), to_.load()}; }

 private:
  NodeProcess() = default;
  Status OpenTopology(const config::Config& config);
  Status OpenStoreAndLog(const config::Config& config);
  void MakeLanes(const config::Config& config, std::function<void(model::LaneId)> wake);
  Status RefuseHidden();

  env::LinuxClock clock_;
  env::LinuxEntropy entropy_;
  env::LinuxFileSystem files_;
  std::unique_ptr<DataDir> dir_;
  std::unique_ptr<route::FileTopology> topology_;
  std::shared_ptr<route::Policies> policies_;
  std::shared_ptr<const route::Router> router_;  // as stored; the store's filter asks it
  route::TopologyContent wanted_;                // with what the configuration adds
  project::ShardBook shard_book_;
  std::vector<model::KeyspaceId> added_;
  bool topology_changed_ = false;
  bool has_projections_ = false;
  std::vector<std::string> notes_;
  std::unique_ptr<store::RocksStore> store_;
  std::unique_ptr<log::FileLog> log_;
  log::RecoveryReport log_report_;
  std::unique_ptr<ingest::Fabric> fabric_;
  std::unique_ptr<Threads> threads_;
  std::unique_ptr<ingest::Node> node_;
  std::vector<std::unique_ptr<ingest::Lane>> lanes_;
  std::unique_ptr<ingest::Recovery> recovery_;
  std::unique_ptr<log::Committer> committer_;
  log::CommitterLimits committer_limits_;
  DiskWatch::Needs disk_needs_;
  std::unique_ptr<DiskWatch> disk_;
  std::unique_ptr<HeatWatch> heat_;
  std::unique_ptr<Rebalancer> rebalancer_;
  std::atomic<uint64_t> at_{0}, to_{0};
  uint64_t recovery_us_ = 0;
};

}  // namespace sluice::app
