// NodeFixture: a node of some lanes without threads, sockets or a disk, driven by hand: its log is
// durable when Sync is called and not before. For tests.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "config/config.h"
#include "env/sim/clock.h"
#include "ingest/lane.h"
#include "ingest/map_hands.h"
#include "ingest/recovery.h"
#include "log/committer.h"
#include "log/memory_log.h"
#include "model/stored_key.h"
#include "rebalance/jobs.h"
#include "route/catalogue.h"
#include "route/map_change.h"
#include "route/router.h"
#include "route/topology_memory.h"
#include "server/connections.h"
#include "server/context.h"
#include "store/memory_store.h"

namespace sluice::server {

struct NodeOptions {
  size_t lanes = 1;
  std::string config = {};  // TOML
  bool sheds = false;       // writes are held back and refused when log or store are behind
  bool cold = false;        // what is in the store must be fetched before it is read
  shard::Limits limits = {};
  log::CommitterLimits log = {};
};

// A log in memory whose disk can be full.
class FixtureLog final : public log::Log {
 public:
  bool full = false;

  Status Append(model::Lsn first, model::Term term, const log::GroupToWrite& group) override {
    return full ? Fail(Code::kNoSpace, "the disk is full") : log_.Append(first, term, group);
  }
  Status Seal(model::Term term) override { return log_.Seal(term); }
  Result<std::unique_ptr<log::Reader>> Read(model::Lsn from) override { return log_.Read(from); }
  Status Trim(model::Lsn below) override { return log_.Trim(below); }
  model::LogId id() const override { return log_.id(); }
  model::Term term() const override { return log_.term(); }
  model::Lsn first() const override { return log_.first(); }
  model::Lsn next() const override { return log_.next(); }
  model::LogTime time() const override { return log_.time(); }
  uint64_t bytes() const override { return log_.bytes(); }
  uint64_t bytes_after(model::Lsn lsn) const override { return log_.bytes_after(lsn); }
  std::vector<model::Lsn> starts() const override { return log_.starts(); }

 private:
  log::MemoryLog log_{model::LogId(1)};
};

// A configuration that takes what may change; policies and limits follow it.
class TestSettings final : public Settings {
 public:
  explicit TestSettings(config::Config now) : now_(std::move(now)) {}
  config::Config Now() override { return now_; }
  Status Set(std::span<const config::NewValue> values) override {
    SLUICE_ASSIGN(now_, config::With(now_, values));
    on_change(now_);
    return Ok();
  }
  std::function<void(const config::Config&)> on_change;

 private:
  config::Config now_;
};

class NodeFixture {
 public:
  explicit NodeFixture(const NodeOptions& options = {}) : options_(options), jobs_(*this) {
    config_ = config::Load(options.config, "test.toml", {}).value();
    users_ = std::make_unique<auth::LiveUsers>(config_.users);
    auto change = route::Reconcile({}, config_.keyspaces, "node", [this] { return ++drawn_; });
    SLUICE_CHECK(change.has_value());
    policies_ = std::make_shared<route::Policies>(change->policies);
    const auto placed = route::PlaceOnLanes(change->content, static_cast<uint16_t>(options.lanes));
    SLUICE_CHECK(topology_.CompareAndSwap(0, placed).ok());
    router_ = std::make_shared<const route::Router>(placed.catalogue, policies_, placed.map);
    settings_ = std::make_unique<TestSettings>(config_);
    settings_->on_change = [this](const config::Config& config) {
      node_->write_limits->Change(route::LimitsOf(router_->keyspaces(), config.keyspaces));
      policies_->Change(route::PoliciesOf(router_->keyspaces(), config));
    };
    Boot();
  }

  // Ends the node where it stands, as a crash would: what is durable is there again afterwards.
  void Restart() { SLUICE_CHECK(TryRestart().ok()); }
  // The same for a log that may be damaged. After an error the node is good for nothing.
  Status TryRestart() {
    connections_.clear();
    lanes_.clear();
    context_.reset();
    committer_.reset();
    map_jobs_.reset();
    hands_.reset();
    node_.reset();
    fabric_.reset();
    jobs_.Forget();
    store_.reset();
    Boot();
    ingest::Recovery recovery(*node_, log_);
    SLUICE_TRY(recovery.Begin());
    for (bool done = false; !done;) {
      SLUICE_ASSIGN(done, recovery.Step());
    }
    SLUICE_TRY(recovery.Finish());
    StartLog(recovery.NextSeq());
    return Ok();
  }

  uint64_t Connect(size_t lane = 0) { return connections_[lane]->Open("10.0.0.1:5", "10.0.0.2:6"); }

  // One turn of one lane. What is fed belongs to that turn.
  void Turn(size_t lane, uint64_t connection = 0, std::string_view bytes = {}) {
    clock_.Advance(1000);
    const model::Lsn before = committer_->appended();
    lanes_[lane]->BeginTurn(clock_.WallMs(), clock_.MonotonicUs());
    connections_[lane]->BeginTurn();
    connections_[lane]->Serve({});
    if (!bytes.empty()) connections_[lane]->Feed(connection, bytes);
    if (std::exchange(tick_, false)) lanes_[lane]->Tick(clock_.MonotonicUs() / 4);
    connections_[lane]->SealTurn(lanes_[lane]->EndTurn());
    connections_[lane]->TakeTouched(&touched_);
    most_records_ = std::max(most_records_, committer_->appended().value - before.value);
  }
  // Turns of all lanes and what they put aside, until nothing moves any more. Nothing becomes
  // durable.
  void Settle() {
    for (int round = 0; round < kRoundsMax; ++round) {
      bool busy = jobs_.RunAll();
      for (size_t i = 0; i < lanes_.size(); ++i) {
        Turn(i);
        busy = busy || lanes_[i]->Busy() || connections_[i]->WantsTurn();
      }
      if (!busy && ++quiet_ > 2 * lanes_.size()) break;
      if (busy) quiet_ = 0;
    }
    quiet_ = 0;
  }
  // A turn of each lane in which its time has come to sweep, and all that follows.
  void Tick() {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      tick_ = true;
      Turn(i);
    }
    Settle();
  }
  // What was put aside is done.
  bool RunJobs() { return jobs_.RunAll(); }
  // Jobs about shards.
  rebalance::Jobs& map_jobs() { return *map_jobs_; }
  route::Topology& topology() { return topology_; }
  // All that was written becomes durable.
  void Sync() {
    for (int i = 0; i < kRoundsMax && committer_->durable() < committer_->appended(); ++i) {
      clock_.Advance(1000);
      committer_->Pump();
    }
    SLUICE_CHECK(committer_->durable() == committer_->appended());
  }
  // What the write buffers hold goes into the store. Requires: all is durable.
  void StoreBuffers() {
    for (const auto& lane : lanes_) {
      const auto run = lane->FreezeAll();
      if (!run) continue;
      SLUICE_CHECK(store_->Apply(*run).ok());
      lane->shards().state().Flushed(*run);
    }
  }
  // Takes what may leave now.
  std::string Take(uint64_t connection, size_t lane = 0) {
    const std::string taken(connections_[lane]->Output(connection, committer_->durable()));
    if (!taken.empty()) connections_[lane]->Sent(connection, taken.size());
    return taken;
  }
  // Feeds bytes, lets everything run and become durable, and takes the replies.
  std::string Ask(uint64_t connection, std::string_view bytes, size_t lane = 0) {
    Turn(lane, connection, bytes);
    return Rest(connection, lane);
  }
  std::string Rest(uint64_t connection, size_t lane = 0) {
    std::string replies;
    for (int quiet = 0; quiet < 2;) {
      Settle();
      Sync();
      const std::string taken = Take(connection, lane);
      replies += taken;
      quiet = taken.empty() && !connections_[lane]->Aside() ? quiet + 1 : 0;
    }
    return replies;
  }
  // False once the session has ended.
  bool Open(uint64_t connection, size_t lane = 0) {
    Session* session = connections_[lane]->Find(connection);
    return session != nullptr && !session->Finished();
  }

  // For lanes that run on threads. Before they do.
  void OnWake(std::function<void(model::LaneId)> wake) { wake_ = std::move(wake); }

  env::SimClock& clock() { return clock_; }
  Context& context() { return *context_; }
  ingest::Node& node() { return *node_; }
  Connections& connections(size_t lane = 0) { return *connections_[lane]; }
  log::Committer& committer() { return *committer_; }
  FixtureLog& log() { return log_; }
  ingest::Lane& lane(size_t i = 0) { return *lanes_[i]; }
  store::Store& store() { return *store_; }
  shard::Limits& limits() { return options_.limits; }      // from the next Restart on
  uint64_t most_records() const { return most_records_; }  // that one turn wrote
  void ResetMostRecords() { most_records_ = 0; }
  // Rows in the store that clients' data makes: not its positions and format.
  size_t StoredRows() const {
    return static_cast<size_t>(std::count_if(
        medium_->rows->begin(), medium_->rows->end(),
        [](const auto& row) { return model::KeyspaceOf(row.first) != model::kMetaKeyspace; }));
  }
  // While set, the store takes no run and says why.
  void RefuseRuns(std::optional<Code> why) { jobs_.refuses = why; }

 private:
  static constexpr int kRoundsMax = 100'000;

  void Boot() {
    store::MemoryStore::Options store_options;
    if (options_.cold) store_options.cold = [](std::string_view) { return true; };
    store_ = store::MemoryStore::Open(medium_, store_options).value();
    const size_t lanes = options_.lanes;
    const route::TopologyContent now = topology_.Load().value();
    router_ = std::make_shared<const route::Router>(now.catalogue, policies_, now.map);
    fabric_ = std::make_unique<ingest::Fabric>(lanes, [this](model::LaneId lane) {
      if (wake_) wake_(lane);
    });
    node_ = std::make_unique<ingest::Node>(*store_, *fabric_, jobs_, router_, options_.limits);
    node_->write_limits = std::make_unique<admit::Limits>(
        route::LimitsOf(router_->keyspaces(), config_.keyspaces), 1);
    StartLog({});
    context_ = std::make_unique<Context>(*node_, clock_, *users_);
    if (!options_.sheds) context_->overload.Disable();
    context_->identity.version = "0.0.test";
    context_->settings = settings_.get();
    for (size_t i = 0; i < lanes; ++i) {
      lanes_.push_back(
          std::make_unique<ingest::Lane>(model::LaneId(static_cast<uint16_t>(i)), *node_, i));
      node_->lanes.push_back(lanes_.back().get());
      connections_.push_back(std::make_unique<Connections>(*context_, *lanes_.back()));
      context_->connections.push_back(connections_.back().get());
      lanes_.back()->Serve(connections_.back().get());
    }
    hands_ = std::make_unique<ingest::MapHands>(
        *node_, topology_, now, clock_,
        ingest::MapHands::Ways{.still =
                                   [](const std::function<void()>& work) {
                                     work();
                                     return true;
                                   },
                               .learn = [](const model::ShardMap&) {},
                               .median = [](const model::Shard&) -> Result<std::string> {
                                 return Fail(Code::kNotFound, "nobody knows its load");
                               },
                               .draw = [this] { return ++drawn_; },
                               .sleep = [this](uint64_t us) { clock_.Advance(us); }});
    map_jobs_ = std::make_unique<rebalance::Jobs>(*hands_, clock_);
    context_->jobs = map_jobs_.get();
  }
  void StartLog(std::unordered_map<model::Lineage, model::ShardSeq> next_seq) {
    committer_ = std::make_unique<log::Committer>(log_, clock_, options_.log, std::move(next_seq));
    node_->committer = committer_.get();
  }

  // Background work, done when Settle asks for it.
  class Jobs final : public ingest::Background {
   public:
    explicit Jobs(NodeFixture& node) : node_(node) {}
    void Offload(model::LaneId lane, std::function<void(store::Store&)> work,
                 ingest::Task then) override {
      waiting_.push_back([this, lane, work = std::move(work), then = std::move(then)] {
        work(*node_.store_);
        node_.fabric_->Post(lane, then);
      });
    }
    void Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) override {
      (refuses ? refused_ : waiting_)
          .push_back([this, lane, run = std::move(run), last, then = std::move(then)] {
            if (node_.committer_->durable() < last) node_.Sync();
            SLUICE_CHECK(node_.store_->Apply(run).ok());
            node_.fabric_->Post(lane, then);
          });
    }
    std::optional<Code> StoreTrouble() const override { return refuses; }
    bool RunAll() {
      if (!refuses) std::move(refused_.begin(), refused_.end(), std::back_inserter(waiting_));
      if (!refuses) refused_.clear();
      if (waiting_.empty()) return false;
      const auto now = std::exchange(waiting_, {});
      for (const auto& job : now) job();
      return true;
    }
    void Forget() {
      waiting_.clear();
      refused_.clear();
    }
    std::optional<Code> refuses;

   private:
    NodeFixture& node_;
    std::vector<std::function<void()>> waiting_, refused_;
  };

  NodeOptions options_;
  env::SimClock clock_{1'700'000'000'000};
  config::Config config_;
  std::unique_ptr<auth::LiveUsers> users_;
  std::unique_ptr<TestSettings> settings_;
  uint64_t drawn_ = 0;
  FixtureLog log_;
  std::shared_ptr<route::Policies> policies_;
  route::MemoryTopology topology_;
  std::shared_ptr<const route::Router> router_;
  const std::shared_ptr<store::MemoryStore::Medium> medium_ =
      std::make_shared<store::MemoryStore::Medium>();
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<ingest::Fabric> fabric_;
  Jobs jobs_;
  std::unique_ptr<ingest::Node> node_;
  std::unique_ptr<ingest::MapHands> hands_;
  std::unique_ptr<rebalance::Jobs> map_jobs_;
  std::unique_ptr<log::Committer> committer_;
  std::unique_ptr<Context> context_;
  std::vector<std::unique_ptr<ingest::Lane>> lanes_;
  std::vector<std::unique_ptr<Connections>> connections_;
  std::vector<uint64_t> touched_;
  std::function<void(model::LaneId)> wake_;
  size_t quiet_ = 0;
  uint64_t most_records_ = 0;
  bool tick_ = false;  // the next turn is one that sweeps
};

// "*3\r\n$3\r\nSET…": a command as clients send it.
inline std::string Request(std::initializer_list<std::string_view> args) {
  std::string bytes = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    bytes += "$" + std::to_string(arg.size()) + "\r\n" + std::string(arg) + "\r\n";
  }
  return bytes;
}

}  // namespace sluice::server
