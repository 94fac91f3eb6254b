#include "sim/carrier.h"

#include <algorithm>
#include <utility>

namespace sluice::sim {

using Fate = project::MemorySink::Fate;

class Carrier::Road final : public project::SeedWriter {
 public:
  Road(ingest::Node& node, route::Policies& policies, model::KeyspaceId keyspace)
      : policies_(policies), keyspace_(keyspace), writes_(node) {
    Hold();
  }

  void Hold() override { policies_.SetSeeding(keyspace_, true); }
  Status LetGo() override {
    policies_.SetSeeding(keyspace_, false);
    return Ok();
  }
  void Begin(const std::vector<Words>& writes) override { writes_.Begin(writes); }
  std::optional<Outcome> Take() override {
    auto taken = writes_.Take();
    if (!taken) return std::nullopt;
    return Outcome{taken->written, taken->there, taken->at, std::move(taken->error)};
  }
  void BeginStore() override { writes_.BeginStore(); }
  bool Stored() const override { return writes_.Stored(); }

 private:
  route::Policies& policies_;
  const model::KeyspaceId keyspace_;
  ingest::OwnWrites writes_;
};

Carrier::Carrier(const config::Config& config, Scene& scene, log::Log& log, ingest::Node& node,
                 route::Policies& policies, const project::ShardBook& book, Prng& prng)
    : scene_(scene), prng_(prng) {
  const route::Router& router = *node.router;
  const log::Committer& committer = *node.committer;
  for (const config::ProjectionConfig& projection : config.projections) {
    const model::Keyspace& keyspace = *router.FindKeyspace(projection.from);
    project::Source source{
        log,
        node.store,
        keyspace,
        {},
        [&committer](model::Lineage lineage) { return committer.next_seq(lineage); },
        [&committer] { return committer.appended(); },
        [&router, id = keyspace.id](std::string_view key, std::string* token) {
          const auto placed = router.Place(key, token);
          return placed.has_value() && placed->keyspace->id == id;
        }};
    source.shards = [&book, id = keyspace.id] { return book.Of(id); };
    auto& medium = scene.sinks[projection.name];
    if (!medium) medium = std::make_shared<project::MemorySink::Medium>();
    project::MemorySink::Options options;
    options.fate = [this] {
      return prng_.OneIn(6) ? static_cast<Fate>(1 + prng_.Below(3)) : Fate::kDone;
    };
    options.adds = projection.sets == config::ProjectionMode::kAdd;
    One one;
    if (projection.adopts == config::ProjectionAdopt::kSeed) {
      options.seeds = true;
      one.road = std::make_unique<Road>(node, policies, keyspace.id);
      source.seed = one.road.get();
    }
    one.sink = std::make_unique<project::MemorySink>(medium, options);
    one.projector = std::make_unique<project::Projector>(
        projection.name, std::move(source), *one.sink, scene.world.clock,
        project::Pace{projection.batch.rows, projection.batch.every_us, 0}, options.adds);
    all_.push_back(one.projector.get());
    ones_.push_back(std::move(one));
  }
}

void Carrier::Step() {
  if (ones_.empty()) return;
  const uint64_t now_us = scene_.world.clock.MonotonicUs();
  One& one = ones_[prng_.Below(ones_.size())];
  if (now_us >= one.next_us) one.next_us = one.projector->Step();
  const project::Report report = one.projector->report();
  if (report.state == project::State::kBroken && scene_.world.files.powered()) {
    scene_.Broken("projection " + one.projector->name() + " is BROKEN: " + report.why);
  }
  std::vector<std::pair<std::function<void(bool)>, bool>> answers;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    const bool there = waiter.projector->Has(waiter.lsn);
    if (!there && (waiter.deadline_us == 0 || now_us < waiter.deadline_us)) return false;
    answers.emplace_back(std::move(waiter.then), there);
    return true;
  });
  for (const auto& [then, there] : answers) then(there);
}

model::Lsn Carrier::needs() const {
  model::Lsn least(UINT64_MAX);
  for (const project::Projector* one : all_) least = std::min(least, one->needs());
  return least;
}

Status Carrier::Wait(const project::Projector& projector, model::Lsn lsn, uint64_t timeout_ms,
                     std::function<void(bool)> then) {
  const uint64_t deadline_us =
      timeout_ms == 0 ? 0 : scene_.world.clock.MonotonicUs() + timeout_ms * 1'000;
  waiters_.push_back({&projector, lsn, deadline_us, std::move(then)});
  return Ok();
}

Status Carrier::SetPaused(project::Projector& projector, bool paused,
                          std::function<void(const Status&)> then) {
  paused ? projector.Pause() : projector.Resume();
  then(Ok());
  return Ok();
}

}  // namespace sluice::sim
