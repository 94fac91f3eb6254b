#include "sim/machine.h"

#include "base/check.h"
#include "config/config.h"
#include "route/catalogue.h"

namespace sluice::sim {
namespace {

constexpr const char* kDir = "data";

}  // namespace

Machine::Machine(env::SimWorld& world, std::shared_ptr<store::MemoryStore::Medium> medium,
                 const MachineOptions& options, Prng& prng)
    : world_(world), medium_(std::move(medium)), options_(options), prng_(prng) {}

Machine::~Machine() = default;

// A run that reaches the store is a step of the disk like any other: the power may fail at it.
store::MemoryStore::Fate Machine::FateOfApply() {
  using Fate = store::MemoryStore::Fate;
  if (world_.files.SyncDir(kDir).ok()) return Fate::kApplied;
  return prng_.OneIn(2) ? Fate::kLostInCut : Fate::kAppliedBeforeCut;
}

Status Machine::OpenDisk() {
  SLUICE_TRY(world_.files.CreateDir(kDir));
  SLUICE_TRY(world_.files.SyncDir("."));
  topology_ = std::make_unique<route::FileTopology>(world_.files, kDir);
  SLUICE_ASSIGN(const route::TopologyContent now, topology_->Load());
  SLUICE_ASSIGN(const config::Config config, config::Load(options_.config, "sim.toml", {}));
  SLUICE_ASSIGN(
      route::CatalogueChange change,
      route::Reconcile(now, config.keyspaces, "local", [this] { return world_.entropy.Next(); }));
  router_ = std::make_shared<route::Router>(change.content.catalogue,
                                            std::make_shared<route::Policies>(change.policies),
                                            change.content.map);
  store::MemoryStore::Options store_options;
  store_options.fate = [this](const store::Run&) { return FateOfApply(); };
  store_options.cold = [this](std::string_view) { return prng_.OneIn(2); };
  SLUICE_ASSIGN(store_, store::MemoryStore::Open(medium_, store_options));
  SLUICE_ASSIGN(const model::Lsn witness, ingest::Recovery::Witness(*store_));
  log::FileLogOptions log_options;
  log_options.segment_bytes = options_.segment_bytes;
  if (now.version != 0) log_options.expected_id = model::LogId(now.node);
  SLUICE_ASSIGN(log::OpenedLog opened,
                log::FileLog::Open(world_.env(), std::string(kDir) + "/log", log_options, witness));
  log_ = std::move(opened.log);
  log_report_ = opened.report;
  if (now.version == 0) change.content.node = log_->id().value;
  if (change.changed) SLUICE_TRY(topology_->CompareAndSwap(now.version, change.content));
  return Ok();
}

void Machine::MakeLanes() {
  fabric_ = std::make_unique<ingest::Fabric>(
      options_.lanes, [](model::LaneId) {},
      [this](model::LaneId, model::LaneId) { return prng_.OneIn(3); });
  shard::Limits limits;
  limits.buffer_bytes = options_.buffer_bytes;
  limits.log_bytes = options_.log_bytes;
  node_ = std::make_unique<ingest::Node>(*store_, *fabric_, background_, router_, limits);
  for (size_t i = 0; i < router_->map().shards().size(); ++i) {
    node_->owners.push_back(model::LaneId(static_cast<uint16_t>(i % options_.lanes)));
  }
  context_ = std::make_unique<server::Context>(*node_, world_.clock, users_);
  for (size_t i = 0; i < options_.lanes; ++i) {
    lanes_.push_back(
        std::make_unique<ingest::Lane>(model::LaneId(static_cast<uint16_t>(i)), *node_, prng_()));
    node_->lanes.push_back(lanes_.back().get());
    connections_.push_back(std::make_unique<server::Connections>(*context_, *lanes_.back()));
    context_->connections.push_back(connections_.back().get());
    lanes_.back()->Serve(connections_.back().get());
  }
  input_.resize(options_.lanes);
}

Status Machine::Boot() {
  SLUICE_TRY(OpenDisk());
  MakeLanes();
  recovery_ = std::make_unique<ingest::Recovery>(*node_, *log_);
  SLUICE_TRY(recovery_->Begin());
  while (true) {
    SLUICE_ASSIGN(const bool done, recovery_->Step());
    if (done) break;
  }
  SLUICE_TRY(recovery_->Finish());
  SLUICE_TRY(log_->Seal(log_->term().Next()));
  committer_ = std::make_unique<log::Committer>(*log_, world_.clock, log::CommitterLimits{},
                                                recovery_->NextSeq());
  node_->committer = committer_.get();
  return Ok();
}

void Machine::Step() {
  world_.clock.Advance(prng_.Below(2000));
  switch (prng_.Below(8)) {
    case 0:
    case 1:
      committer_->Pump();
      break;
    case 2:
      background_.Step();
      break;
    case 3:
      if (log_->NeedsPrepare()) (void)log_->Prepare();
      break;
    default:
      Turn(prng_.Below(lanes_.size()));
      break;
  }
}

void Machine::Turn(size_t i) {
  ingest::Lane& lane = *lanes_[i];
  lane.BeginTurn(world_.clock.WallMs());
  server::Connections& connections = *connections_[i];
  while (!input_[i].empty() && !prng_.OneIn(4)) {
    Bytes& next = input_[i].front();
    const size_t size = 1 + prng_.Below(next.bytes.size());
    connections.Feed(next.connection, std::string_view(next.bytes).substr(0, size));
    next.bytes.erase(0, size);
    if (next.bytes.empty()) input_[i].pop_front();
  }
  connections.Resume();
  if (prng_.OneIn(16)) lane.Tick();
  connections.SealTurn(lane.EndTurn());
}

uint64_t Machine::Connect(size_t lane) {
  return connections_[lane]->Open("sim:1", "sim:2");
}

void Machine::Send(size_t lane, uint64_t connection, std::string_view bytes) {
  input_[lane].push_back({connection, std::string(bytes)});
}

std::string Machine::Take(size_t lane, uint64_t connection) {
  server::Connections& connections = *connections_[lane];
  if (connections.Find(connection) == nullptr || committer_->failed()) return {};
  const std::string taken(connections.Output(connection, committer_->durable()));
  connections.Sent(connection, taken.size());
  return taken;
}

void Machine::Jobs::Offload(model::LaneId lane, std::function<void(store::Store&)> work,
                            ingest::Task then) {
  reads_.push_back({lane, std::move(work), std::move(then)});
}

void Machine::Jobs::Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) {
  stores_.push_back({lane, std::move(run), last, std::move(then)});
}

void Machine::Jobs::Step() {
  if (!reads_.empty()) {
    const size_t i = machine_.prng_.Below(reads_.size());
    Read read = std::move(reads_[i]);
    reads_.erase(reads_.begin() + static_cast<ptrdiff_t>(i));
    read.work(*machine_.store_);
    machine_.fabric_->Post(read.lane, std::move(read.then));
  }
  if (stores_.empty() || machine_.committer_->durable() < stores_.front().last) return;
  StoreJob& job = stores_.front();
  if (!machine_.store_->Apply(job.run).ok()) return;
  ++stored;
  machine_.fabric_->Post(job.lane, std::move(job.then));
  stores_.pop_front();
}

}  // namespace sluice::sim
