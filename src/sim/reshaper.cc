#include "sim/reshaper.h"

#include <algorithm>

#include "base/bytes.h"
#include "model/stored_key.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 20;    // steps between two orders, about
constexpr size_t kShardsMost = 24;  // then it only merges and moves

}  // namespace

Reshaper::Reshaper(Scene& scene, ingest::Node& node, route::Topology& topology,
                   route::TopologyContent now, project::ShardBook& book, Prng& prng,
                   std::function<void()> wait, std::function<bool()> in_turn)
    : scene_(scene),
      node_(node),
      prng_(prng),
      hands_(node, topology, std::move(now), scene.world.clock,
             {.still =
                  [in_turn](const std::function<void()>& work) {
                    if (in_turn()) return false;
                    work();
                    return true;
                  },
              .learn = [&book](const model::ShardMap& map) { book.Learn(map); },
              .median = [this](const model::Shard& shard) -> Result<std::string> {
                return DrawToken(shard);
              },
              .draw = [&scene] { return scene.world.entropy.Next(); },
              .sleep = [wait](uint64_t) { wait(); }}),
      jobs_(hands_, scene.world.clock) {}

// Of a key that was written lately, if there is one of the shard; else any.
std::string Reshaper::DrawToken(const model::Shard& shard) {
  std::string token;
  AppendBe64(token, prng_());
  const model::Keyspace& keyspace = node_.router->keyspace(shard.keyspace);
  size_t skip = prng_.Below(20);
  for (ingest::Lane* lane : node_.lanes) {
    lane->shards().state().active().ForEach(
        [&](std::string_view key, std::string_view, bool, model::Turn) {
          model::StoredKeyParts parts;
          if (model::KeyspaceOf(key) != keyspace.id || model::KindOf(key) != model::Kind::kValue ||
              !model::SplitStoredKey(keyspace, key, &parts) || parts.token <= shard.begin ||
              (!shard.end.empty() && parts.token >= shard.end)) {
            return true;
          }
          token = parts.token;
          return skip-- > 0;
        });
  }
  return token;
}

void Reshaper::OrderJob() {
  const std::shared_ptr<const route::TopologyContent> now = hands_.Now();
  const auto& shards = now->map->shards();
  const size_t i = prng_.Below(shards.size());
  rebalance::JobOrder order;
  order.shard = shards[i].id;
  order.reason = "chance";
  switch (prng_.Below(3)) {
    case 0:
      if (shards.size() >= kShardsMost) return;
      order.kind = rebalance::JobKind::kSplit;
      if (prng_.OneIn(2)) order.at_token = DrawToken(shards[i]);
      break;
    case 1:
      order.kind = rebalance::JobKind::kMerge;
      order.with = shards[std::min(i + 1, shards.size() - 1)].id;
      break;
    default:
      order.kind = rebalance::JobKind::kMove;
      order.to = model::LaneId(static_cast<uint16_t>(prng_.Below(node_.lanes.size())));
  }
  if (jobs_.Start(order).has_value()) {
    scene_.Note("job: {} of shard {}", rebalance::NameOf(order.kind), order.shard.value);
  }
}

void Reshaper::Disturb(const rebalance::JobReport& job) {
  switch (prng_.Below(4)) {
    case 0:
      (void)jobs_.Abort(job.id);
      break;
    case 1:
      (void)jobs_.Pause(job.id);
      break;
    default:
      (void)jobs_.Resume(job.id);
  }
}

void Reshaper::Order() {
  if (!prng_.OneIn(kRarity)) return;
  next_us_ = 0;
  const std::vector<rebalance::JobReport> jobs = jobs_.List();
  if (jobs.empty() || jobs.front().ended()) return OrderJob();
  Disturb(jobs[prng_.Below(std::min<size_t>(jobs.size(), 3))]);
}

void Reshaper::ResumeAll() {
  for (const rebalance::JobReport& job : jobs_.List()) {
    if (!job.ended()) (void)jobs_.Resume(job.id);
  }
  next_us_ = 0;
}

uint64_t Reshaper::done() const {
  const std::vector<rebalance::JobReport> jobs = jobs_.List();
  return static_cast<uint64_t>(std::count_if(jobs.begin(), jobs.end(), [](const auto& job) {
    return job.state == rebalance::JobState::kDone;
  }));
}

void Reshaper::Step() {
  if (scene_.world.clock.MonotonicUs() < next_us_) return;
  next_us_ = jobs_.Step();
  if (next_us_ == ~uint64_t{0}) next_us_ = 0;
}

}  // namespace sluice::sim
