#include "sim/machine.h"

#include "base/check.h"
#include "route/catalogue.h"
#include "route/map_change.h"

namespace sluice::sim {
namespace {

constexpr const char* kDir = "data";
constexpr uint64_t kStepUs = 2000;  // a step takes less than this
// Actors behind the lanes.
constexpr size_t kLog = 0, kStore = 1, kReaders = 2, kPreparer = 3, kCarrier = 4, kReshaper = 5;

}  // namespace

Machine::Machine(Scene& scene, const Trouble& trouble,
                 std::shared_ptr<store::MemoryStore::Medium> medium, MachineOptions options,
                 Prng& prng)
    : scene_(scene),
      trouble_(trouble),
      medium_(std::move(medium)),
      options_(std::move(options)),
      prng_(prng) {}

Machine::~Machine() = default;

// A run that reaches the store is a step of the disk like any other, in a directory where nothing
// else waits to be durable.
store::MemoryStore::Fate Machine::FateOfApply() {
  using Fate = store::MemoryStore::Fate;
  const Status synced = scene_.world.files.SyncDir(".");
  if (!scene_.world.files.powered()) {
    return prng_.OneIn(2) ? Fate::kLostInCut : Fate::kAppliedBeforeCut;
  }
  const std::optional<Code> refused =
      synced.ok() ? trouble_.store_refuses : std::optional(synced.error().code);
  if (!refused) return Fate::kApplied;
  return *refused == Code::kNoSpace ? Fate::kNoSpace : Fate::kFailed;
}

Status Machine::OpenTopology() {
  SLUICE_TRY(scene_.world.files.CreateDir(kDir));
  SLUICE_TRY(scene_.world.files.SyncDir("."));
  topology_ = std::make_unique<route::FileTopology>(scene_.world.files, kDir);
  SLUICE_TRY(topology_->Recover());
  SLUICE_ASSIGN(const route::TopologyContent now, topology_->Load());
  SLUICE_ASSIGN(route::CatalogueChange change,
                route::Reconcile(now, options_.config.keyspaces, "local",
                                 [this] { return scene_.world.entropy.Next(); }));
  policies_ = std::make_shared<route::Policies>(
      route::PoliciesOf(change.content.catalogue, options_.config));
  wanted_ = route::PlaceOnLanes(change.content, options_.config.server.lanes);
  router_ = std::make_shared<route::Router>(wanted_.catalogue, policies_, wanted_.map);
  shard_book_.Learn(*wanted_.map);
  topology_changed_ = change.changed;
  return Ok();
}

Status Machine::OpenStoreAndLog() {
  store::MemoryStore::Options store_options;
  store_options.fate = [this](const store::Run&) { return FateOfApply(); };
  store_options.cold = [this](std::string_view) { return prng_.OneIn(2); };
  store_options.unreadable = [this] { return trouble_.reads_fail && prng_.OneIn(2); };
  store_options.stalled = [this] { return trouble_.store_stalls; };
  SLUICE_ASSIGN(store_, store::MemoryStore::Open(medium_, store_options));
  SLUICE_ASSIGN(const model::Lsn witness, ingest::Recovery::Witness(*store_));
  SLUICE_ASSIGN(const auto positions, store_->Positions());
  log::FileLogOptions log_options;
  log_options.segment_bytes = options_.segment_bytes;
  model::Lsn from = witness;
  for (const store::Position& position : positions) from = std::min(from, position.lsn);
  log_options.scan_from = from.Next();
  const bool first_start = wanted_.version == 0;
  if (!first_start) log_options.expected_id = model::LogId(wanted_.node);
  SLUICE_ASSIGN(
      log::OpenedLog opened,
      log::FileLog::Open(scene_.world.env(), std::string(kDir) + "/log", log_options, witness));
  log_ = std::move(opened.log);
  log_report_ = opened.report;
  if (first_start && (!positions.empty() || log_->next() > model::Lsn(1))) {
    return Fail(Code::kCorrupt, "the topology is missing, and there is data");
  }
  if (first_start) wanted_.node = log_->id().value;
  return Ok();
}

void Machine::MakeLanes() {
  const size_t lanes = options_.config.server.lanes;
  fabric_ = std::make_unique<ingest::Fabric>(
      lanes, [](model::LaneId) {}, [this](model::LaneId, model::LaneId) { return prng_.OneIn(3); });
  shard::Limits limits;
  limits.buffer_bytes = options_.buffer_bytes;
  limits.cache_bytes = options_.recent_bytes;
  limits.log_bytes = options_.log_bytes;
  limits.once_window_ms = options_.config.server.once_window_ms;
  limits.once_bytes = options_.once_bytes;
  node_ = std::make_unique<ingest::Node>(*store_, *fabric_, background_, router_, limits);
  node_->write_limits = std::make_unique<admit::Limits>(
      route::LimitsOf(router_->keyspaces(), options_.config.keyspaces),
      scene_.world.entropy.Next());
  context_ = std::make_unique<server::Context>(*node_, scene_.world.clock, users_);
  if (!options_.sheds) context_->overload.Disable();
  for (size_t i = 0; i < lanes; ++i) {
    lanes_.push_back(
        std::make_unique<ingest::Lane>(model::LaneId(static_cast<uint16_t>(i)), *node_, prng_()));
    node_->lanes.push_back(lanes_.back().get());
    connections_.push_back(std::make_unique<server::Connections>(*context_, *lanes_.back()));
    context_->connections.push_back(connections_.back().get());
    lanes_.back()->Serve(connections_.back().get());
  }
  input_.resize(lanes);
  next_tick_us_.resize(lanes);
  told_.resize(lanes);
  waits_.resize(actors());
}

Status Machine::Boot() {
  SLUICE_TRY(OpenTopology());
  SLUICE_TRY(OpenStoreAndLog());
  MakeLanes();
  recovery_ = std::make_unique<ingest::Recovery>(*node_, *log_);
  SLUICE_TRY(recovery_->Begin());
  while (true) {
    SLUICE_ASSIGN(const bool done, recovery_->Step());
    if (done) break;
  }
  SLUICE_TRY(recovery_->Finish());
  if (topology_changed_) {
    SLUICE_TRY(topology_->CompareAndSwap(wanted_.version, wanted_));
    ++wanted_.version;
  }
  SLUICE_TRY(log_->Seal(log_->term().Next()));
  const config::LogConfig& config = options_.config.log;
  committer_ = std::make_unique<log::Committer>(
      *log_, scene_.world.clock,
      log::CommitterLimits{config.group_bytes, config.group_delay_us, config.latency_target_us,
                           options_.queue_bytes},
      recovery_->NextSeq());
  node_->committer = committer_.get();
  carrier_ = std::make_unique<Carrier>(options_.config, scene_, *log_, *node_, *policies_,
                                       shard_book_, prng_);
  context_->projections = carrier_.get();
  reshaper_ = std::make_unique<Reshaper>(
      scene_, *node_, *topology_, wanted_, shard_book_, prng_, [this] { Step(); },
      [this] { return std::any_of(waits_.begin(), waits_.begin() + lanes(), std::identity()); });
  context_->jobs = &reshaper_->jobs();
  serving_ = true;
  return Ok();
}

void Machine::FollowLimit() {
  if (limit_ == trouble_.limit) return;
  limit_ = trouble_.limit;
  const auto& keyspaces = router_->keyspaces();
  auto limits = route::LimitsOf(keyspaces, options_.config.keyspaces);
  auto policies = route::PoliciesOf(keyspaces, options_.config);
  for (const model::Keyspace& keyspace : keyspaces) {
    model::WriteLimits& each = limits[keyspace.id.value];
    each.all = each.client = limit_;
    if (!keyspace.key.segments.empty()) each.segment = limit_;
    policies[keyspace.id.value].limited = each.any();
  }
  node_->write_limits->Change(limits);
  policies_->Change(policies);
}

void Machine::Step() {
  node_->disk_low = trouble_.disk_low;
  FollowLimit();
  if (serving_ && !stopping_) trouble_.reshapes ? reshaper_->Order() : reshaper_->ResumeAll();
  scene_.world.clock.Advance(prng_.Below(kStepUs));
  constexpr size_t kChoices[] = {kLog, kLog, kStore, kReaders, kPreparer, kCarrier, kReshaper};
  const size_t choice = prng_.Below(2 * std::size(kChoices));
  const size_t actor =
      choice < std::size(kChoices) ? lanes_.size() + kChoices[choice] : prng_.Below(lanes_.size());
  if (waits_[actor] || trouble_.starved == actor) return;
  waits_[actor] = true;
  Act(actor);
  waits_[actor] = false;
}

uint64_t Machine::folded() const {
  uint64_t folded = 0;
  for (const auto& lane : lanes_) folded += lane->shards().meters().folded.value();
  return folded;
}

void Machine::Act(size_t actor) {
  if (actor < lanes_.size()) return Turn(actor);
  switch (actor - lanes_.size()) {
    case kLog:
      return PumpLog();
    case kStore:
      return background_.StoreOne();
    case kReaders:
      return background_.Read();
    case kCarrier:
      return carrier_->Step();
    case kReshaper:
      return stopping_ ? void() : reshaper_->Step();
    default:
      if (log_->NeedsPrepare()) (void)log_->Prepare();  // there may be no room: later, then
  }
}

void Machine::PumpLog() {
  committer_->Pump();
  model::Lsn stored = carrier_->needs();
  for (const auto& lane : lanes_) stored = std::min(stored, lane->stored_lsn());
  if (stored <= trimmed_) return;
  trimmed_ = stored;
  (void)log_->Trim(stored.Next());  // the log keeps growing then
}

void Machine::Turn(size_t i) {
  ingest::Lane& lane = *lanes_[i];
  server::Connections& connections = *connections_[i];
  lane.BeginTurn(scene_.world.clock.WallMs(), scene_.world.clock.MonotonicUs());
  connections.BeginTurn();
  if (!lane.Crowded()) {
    connections.Serve({});
    ReadSockets(i);
  }
  const uint64_t now_us = scene_.world.clock.MonotonicUs();
  if (now_us >= next_tick_us_[i]) {
    next_tick_us_[i] = now_us + ingest::kTickMs * 1000;
    lane.Tick(0);
    if (prng_.OneIn(10)) connections.ReleaseIdle();
  }
  connections.SealTurn(lane.EndTurn());
  if (committer_->failed() && !told_[i]) {
    told_[i] = true;
    connections.FailWaiting();
  }
  connections.TakeTouched(&touched_);
}

void Machine::ReadSockets(size_t i) {
  server::Connections& connections = *connections_[i];
  for (auto at = input_[i].begin(); at != input_[i].end();) {
    auto& [connection, bytes] = *at;
    const server::Session* session = connections.Find(connection);
    if (session != nullptr && session->WantsInput() && !prng_.OneIn(4)) {
      const size_t size = 1 + prng_.Below(bytes.size());
      connections.Feed(connection, std::string_view(bytes).substr(0, size));
      bytes.erase(0, size);
    }
    at = session == nullptr || bytes.empty() ? input_[i].erase(at) : std::next(at);
  }
}

bool Machine::failed() const {
  return std::all_of(told_.begin(), told_.end(), [](bool told) { return told; });
}

bool Machine::Idle() const {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i]->Busy() || lanes_[i]->parking().size() > 0 || !input_[i].empty()) return false;
  }
  return committer_->pending_bytes() == 0 && !background_.reading() && reshaper_->Idle();
}

void Machine::StoreAll() {
  for (const auto& lane : lanes_) {
    fabric_->Post(lane->id(), [](ingest::Lane& there) { there.StoreSoon([](ingest::Lane&) {}); });
  }
}

uint64_t Machine::Connect(size_t lane) {
  return connections_[lane]->Open("sim:1", "sim:2");
}

void Machine::Disconnect(size_t lane, uint64_t connection) {
  connections_[lane]->Close(connection);
  input_[lane].erase(connection);
}

void Machine::Send(size_t lane, uint64_t connection, std::string_view bytes) {
  input_[lane][connection].append(bytes);
}

std::optional<std::string> Machine::Take(size_t lane, uint64_t connection) {
  server::Connections& connections = *connections_[lane];
  const server::Session* session = connections.Find(connection);
  if (session == nullptr) return std::nullopt;
  std::string taken(connections.Output(connection, committer_->durable()));
  connections.Sent(connection, taken.size());
  if (session->dead() || (taken.empty() && session->Finished())) {
    Disconnect(lane, connection);
    return std::nullopt;
  }
  return taken;
}

void Machine::BeginStop() {
  stopping_ = true;
  for (const auto& connections : connections_) {
    connections->ForEach([](server::Session& session) { session.EndInput(); });
  }
}

bool Machine::Drained() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& connections) { return connections->size() == 0; });
}

void Machine::EndStop() {
  serving_ = false;
  committer_->Close();
  while (!committer_->closed()) committer_->Pump();
  if (committer_->failed()) return;
  for (const auto& lane : lanes_) {
    const auto run = lane->FreezeAll();
    // What is not stored is replayed by the next start.
    if (run && !store_->Apply(*run).ok()) return;
  }
}

void Machine::Jobs::Offload(model::LaneId lane, std::function<void(store::Store&)> work,
                            ingest::Task then) {
  reads_.push_back({lane, std::move(work), std::move(then)});
}

void Machine::Jobs::Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) {
  stores_.push_back({lane, std::move(run), last, std::move(then)});
}

void Machine::Jobs::Read() {
  if (reads_.empty()) return;
  const size_t i = machine_.prng_.Below(reads_.size());
  ReadJob job = std::move(reads_[i]);
  reads_.erase(reads_.begin() + static_cast<ptrdiff_t>(i));
  job.work(*machine_.store_);
  machine_.fabric_->Post(job.lane, std::move(job.then));
}

void Machine::Jobs::StoreOne() {
  if (stores_.empty() || machine_.committer_->durable() < stores_.front().last) return;
  if (machine_.store_->Stalled()) return;
  StoreJob& job = stores_.front();
  const Status applied = machine_.store_->Apply(job.run);
  trouble_ = applied.ok() ? std::nullopt : std::optional(applied.error().code);
  if (!applied.ok()) return;
  ++stored;
  machine_.fabric_->Post(job.lane, std::move(job.then));
  stores_.pop_front();
}

}  // namespace sluice::sim
