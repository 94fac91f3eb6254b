#include "app/node_process.h"

#include <fmt/format.h>

#include "base/log_line.h"
#include "env/linux/cores.h"
#include "model/stored_key.h"
#include "route/catalogue.h"
#include "route/map_change.h"
#include "route/matcher.h"

namespace sluice::app {
namespace {

constexpr uint64_t kLogBytesMax = 480 << 20;      // of log not yet in the store, all lanes together
constexpr uint64_t kClientBytesLeast = 24 << 20;  // so that the largest value can come in
constexpr std::string_view kNodeName = "local";

size_t LanesOf(const config::Config& config) {
  if (config.server.lanes != 0) return config.server.lanes;
  // One core is left to the log, to runs on their way to the store, and to compaction.
  return std::max<size_t>(2, env::Cores()) - 1;
}

}  // namespace

MemoryPlan PlanMemory(uint64_t memory_bytes, size_t lanes) {
  MemoryPlan plan;
  plan.block_cache_bytes = memory_bytes / 6;
  plan.key_filter_bytes = memory_bytes / 16;
  plan.cache_bytes = memory_bytes / 4 / lanes;
  plan.buffer_bytes = std::max<uint64_t>(memory_bytes / 3 / lanes / 3, 1 << 20);
  plan.queue_bytes = std::clamp<uint64_t>(memory_bytes / 16, 1 << 20, 64 << 20);
  plan.client_bytes = std::max<uint64_t>(memory_bytes / 16, kClientBytesLeast);
  return plan;
}

Result<std::unique_ptr<NodeProcess>> NodeProcess::Open(const config::Config& config,
                                                       const std::string& dir,
                                                       std::function<void(model::LaneId)> wake) {
  std::unique_ptr<NodeProcess> process(new NodeProcess);
  SLUICE_ASSIGN(process->dir_, DataDir::Open(dir));
  SLUICE_TRY(process->OpenTopology(config));
  SLUICE_TRY(process->OpenStoreAndLog(config));
  process->MakeLanes(config, std::move(wake));
  return process;
}

NodeProcess::~NodeProcess() {
  if (rebalancer_) rebalancer_->Stop();
  if (threads_) threads_->Stop();
}

Status NodeProcess::OpenTopology(const config::Config& config) {
  topology_ = std::make_unique<route::FileTopology>(files_, dir_->path());
  SLUICE_TRY(topology_->Recover());
  SLUICE_ASSIGN(const route::TopologyContent now, topology_->Load());
  SLUICE_ASSIGN(route::CatalogueChange change,
                route::Reconcile(now, config.keyspaces, std::string(kNodeName),
                                 [this] { return entropy_.Next(); }));
  wanted_ = route::PlaceOnLanes(change.content, static_cast<uint16_t>(LanesOf(config)));
  added_ = std::move(change.added);
  topology_changed_ = change.changed;
  notes_ = std::move(change.notes);
  // Shards that are new hold nothing, so the wanted map serves for replay as well.
  has_projections_ = !config.projections.empty();
  policies_ = std::make_shared<route::Policies>(route::PoliciesOf(wanted_.catalogue, config));
  router_ = std::make_shared<route::Router>(wanted_.catalogue, policies_, wanted_.map);
  shard_book_.Learn(*wanted_.map);
  return Ok();
}

Status NodeProcess::OpenStoreAndLog(const config::Config& config) {
  const MemoryPlan plan = PlanMemory(config.server.memory_bytes, LanesOf(config));
  store::RocksStore::Options options;
  options.block_cache_bytes = plan.block_cache_bytes;
  options.key_filter_bytes = plan.key_filter_bytes;
  options.keyspaces = [router = router_](model::KeyspaceId id) -> const model::Keyspace* {
    for (const model::Keyspace& keyspace : router->keyspaces()) {
      if (keyspace.id == id) return &keyspace;
    }
    return nullptr;
  };
  SLUICE_ASSIGN(store_, store::RocksStore::Open(dir_->path() + "/store", options));
  SLUICE_ASSIGN(const model::Lsn witness, ingest::Recovery::Witness(*store_));
  SLUICE_ASSIGN(const auto positions, store_->Positions());
  log::FileLogOptions log_options;
  log_options.segment_bytes = config.log.segment_bytes;
  model::Lsn from = witness;
  for (const store::Position& position : positions) from = std::min(from, position.lsn);
  log_options.scan_from = from.Next();
  // The node's identity is its log's: a log that is missing, or another's, is never taken for it.
  const bool first_start = wanted_.version == 0;
  if (!first_start) log_options.expected_id = model::LogId(wanted_.node);
  SLUICE_ASSIGN(log::OpenedLog opened,
                log::FileLog::Open(env(), dir_->path() + "/log", log_options, witness));
  log_ = std::move(opened.log);
  log_report_ = std::move(opened.report);
  // A first start that was cut short leaves a log without records, and no topology.
  if (first_start && (!positions.empty() || log_->next() > model::Lsn(1))) {
    return Fail(Code::kCorrupt,
                dir_->path() +
                    "/topology is missing, and the store or the log holds data: without "
                    "it nobody knows which keyspace and shard a stored key belongs to. "
                    "Bring it back, or restore a backup");
  }
  if (first_start) wanted_.node = log_->id().value;
  committer_limits_ = {config.log.group_bytes, config.log.group_delay_us,
                       config.log.latency_target_us, plan.queue_bytes};
  const uint64_t buffers = 3 * plan.buffer_bytes * LanesOf(config);  // active, and two on their way
  disk_needs_.steady_bytes = buffers + 2 * config.log.segment_bytes;
  disk_needs_.merge_bytes =
      options.base_level_bytes + options.level0_files_compact * plan.buffer_bytes;
  return Ok();
}

void NodeProcess::MakeLanes(const config::Config& config, std::function<void(model::LaneId)> wake) {
  const size_t lanes = LanesOf(config);
  const MemoryPlan plan = PlanMemory(config.server.memory_bytes, lanes);
  fabric_ = std::make_unique<ingest::Fabric>(lanes, std::move(wake));
  threads_ = std::make_unique<Threads>(*store_, *fabric_);
  shard::Limits limits;
  limits.buffer_bytes = plan.buffer_bytes;
  limits.cache_bytes = plan.cache_bytes;
  limits.log_bytes = kLogBytesMax / 3;  // a buffer that fills, and two on their way
  limits.once_window_ms = config.server.once_window_ms;
  limits.once_bytes = config.server.once_bytes / lanes;
  limits.pieces = threads_->pieces();
  node_ = std::make_unique<ingest::Node>(*store_, *fabric_, *threads_, router_, limits);
  node_->write_limits = std::make_unique<admit::Limits>(
      route::LimitsOf(router_->keyspaces(), config.keyspaces), entropy_.Next());
  for (size_t i = 0; i < lanes; ++i) {
    lanes_.push_back(std::make_unique<ingest::Lane>(model::LaneId(static_cast<uint16_t>(i)), *node_,
                                                    entropy_.Next()));
    node_->lanes.push_back(lanes_.back().get());
  }
}

Status NodeProcess::Recover() {
  const uint64_t began_us = clock_.MonotonicUs();
  recovery_ = std::make_unique<ingest::Recovery>(*node_, *log_);
  SLUICE_TRY(recovery_->Begin());
  to_ = recovery_->progress().to.value;
  while (true) {
    SLUICE_ASSIGN(const bool done, recovery_->Step());
    at_ = recovery_->progress().at.value;
    if (done) break;
  }
  // A projection that begins now goes on from what the store has: behind that, the log must hold
  // nothing that it cannot carry on, as from a time when there was no projection.
  if (has_projections_ && recovery_->progress().partial > 0) SLUICE_TRY(recovery_->StoreAll());
  SLUICE_TRY(recovery_->Finish());
  SLUICE_TRY(RefuseHidden());
  if (topology_changed_) {
    SLUICE_TRY(topology_->CompareAndSwap(wanted_.version, wanted_));
    ++wanted_.version;
  }
  recovery_us_ = log_report_.micros + clock_.MonotonicUs() - began_us;
  return Ok();
}

// A key of `default` that a new template matches would be looked for elsewhere from now on.
Status NodeProcess::RefuseHidden() {
  if (added_.empty() || !topology_changed_ || wanted_.version == 0) return Ok();
  std::vector<uint64_t> hidden(added_.size());
  const model::Keyspace& fallback = router_->keyspace(model::KeyspaceId());
  const auto count = [&](std::string_view stored) {
    model::StoredKeyParts parts;
    if (!model::SplitStoredKey(fallback, stored, &parts)) return;
    for (size_t i = 0; i < added_.size(); ++i) {
      hidden[i] += route::Matches(router_->keyspace(added_[i]), parts.key) ? 1 : 0;
    }
  };
  std::string prefix;
  model::KindPrefix(prefix, fallback.id, model::Kind::kValue, {});
  const auto cursor = store_->NewCursor();
  std::string scratch;
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
    bool newer = false;  // a lane's buffer knows better
    for (const auto& lane : lanes_) {
      newer = newer || lane->shards().state().active().Find(cursor->key()).state !=
                           store::Buffer::Hit::State::kMiss;
    }
    if (!newer) count(cursor->key());
  }
  SLUICE_TRY(cursor->status());
  for (const auto& lane : lanes_) {
    lane->shards().state().active().ForEach(
        [&](std::string_view key, std::string_view, bool deleted, model::Turn) {
          if (!deleted && key.starts_with(prefix)) count(key);
          return true;
        });
  }
  for (size_t i = 0; i < added_.size(); ++i) {
    if (hidden[i] == 0) continue;
    const model::Keyspace& keyspace = router_->keyspace(added_[i]);
    return Fail(
        Code::kInvalid,
        fmt::format("keyspace {}: {} stored keys of keyspace default match its template {}; "
                    "they would no longer be found. Choose another template, or move those "
                    "keys first (start without this keyspace)",
                    keyspace.name, hidden[i], keyspace.key.text));
  }
  return Ok();
}

Status NodeProcess::Start(std::function<void()> on_progress, std::function<model::Lsn()> hold) {
  SLUICE_TRY(log_->Seal(log_->term().Next()));
  committer_ =
      std::make_unique<log::Committer>(*log_, clock_, committer_limits_, recovery_->NextSeq());
  node_->committer = committer_.get();
  disk_ = std::make_unique<DiskWatch>(DiskWatch::Disk{files_, dir_->path(), *log_, *store_}, *node_,
                                      disk_needs_);
  disk_->Look();
  heat_ = std::make_unique<HeatWatch>(*node_, env(), dir_->path());
  rebalancer_ =
      std::make_unique<Rebalancer>(*node_, *topology_, wanted_, env(), shard_book_, *heat_);
  threads_->StartLog(
      *log_, *committer_,
      [this, hold = std::move(hold)] {
        model::Lsn stored = hold();
        for (const auto& lane : lanes_) stored = std::min(stored, lane->stored_lsn());
        return stored;
      },
      std::move(on_progress));
  return Ok();
}

void NodeProcess::Adopt(const config::Config& config) {
  node_->write_limits->Change(route::LimitsOf(router_->keyspaces(), config.keyspaces));
  policies_->Change(route::PoliciesOf(router_->keyspaces(), config));
  committer_->LimitGroups(config.log.group_bytes, config.log.group_delay_us,
                          config.log.latency_target_us);
  for (const auto& lane : lanes_) {
    fabric_->Post(lane->id(), [window_ms = config.server.once_window_ms](ingest::Lane& there) {
      there.shards().RememberOnceFor(window_ms);
    });
  }
}

void NodeProcess::Stop() {
  if (rebalancer_) rebalancer_->Stop();
  threads_->Stop();
  if (heat_) heat_->Save();
  if (!committer_ || committer_->failed()) return;
  // What is stored now need not be replayed at the next start, nor kept in the log.
  for (const auto& lane : lanes_) {
    const auto run = lane->FreezeAll();
    if (!run) continue;
    if (const Status stored = store_->Apply(*run); !stored.ok()) {
      LogWarning("store", "a run could not be stored; the next start replays it from the log",
                 {{"error", stored.error().message}});
      return;
    }
  }
}

}  // namespace sluice::app
