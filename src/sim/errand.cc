#include "sim/errand.h"

#include <algorithm>

#include "base/text.h"
#include "route/map_change.h"

namespace sluice::sim {
namespace {

using rebalance::JobKind;
using rebalance::JobPhase;
using rebalance::JobReport;
using rebalance::JobState;

constexpr size_t kTries = 200;  // until a key is found that parts a shard

bool IsUnknown(const JobReport& job) {
  return job.error.find("not known") != std::string::npos;
}

// Two maps that look the same are the same but for epochs and lineages.
std::string ShapeOf(const model::ShardMap& map) {
  std::string shape;
  for (const model::Shard& shard : map.shards()) {
    shape += fmt::format("{}:{}[{}-{}]@{} ", shard.keyspace.value, shard.id.value, Hex(shard.begin),
                         Hex(shard.end), shard.lane.value);
  }
  shape += "retired";
  for (const model::RetiredShard& shard : map.retired())
    shape += fmt::format(" {}", shard.id.value);
  return shape;
}

const model::Shard& ShardAt(const model::ShardMap& map, model::KeyspaceId keyspace,
                            const std::string& token) {
  return map.shards()[map.Find(keyspace, token)];
}

}  // namespace

Errand::Wish Errand::After(Wish wish, bool happened) {
  if (wish == Wish::kTakenBack && happened) return Wish::kMerge;
  return static_cast<Wish>(static_cast<uint8_t>(wish) + 1);
}

bool Errand::ChooseRange(Reshaper& node, Prng& prng) {
  const model::ShardMap& map = *node.Now()->map;
  for (size_t i = 0; i < kTries && !chosen_; ++i) {
    const model::Shard& shard = map.shards()[prng.Below(map.shards().size())];
    cut_ = node.DrawToken(shard);
    chosen_ = cut_ > shard.begin && (shard.end.empty() || cut_ < shard.end);
    keyspace_ = shard.keyspace;
    begin_ = shard.begin;
  }
  return chosen_;
}

rebalance::JobOrder Errand::OrderFor(const model::ShardMap& map) const {
  const model::Shard& low = ShardAt(map, keyspace_, begin_);
  const model::Shard& high = ShardAt(map, keyspace_, cut_);
  rebalance::JobOrder order;
  order.shard = low.id;
  order.reason = "an errand";
  if (wish_ == Wish::kMove) {
    order.kind = JobKind::kMove;
    order.shard = high.id;
    order.to = model::LaneId(1 - high.lane.value);
  } else if (wish_ == Wish::kMergeOver || wish_ == Wish::kMerge) {
    order.kind = JobKind::kMerge;
    order.with = high.id;
  } else {
    order.at_token = cut_;
  }
  return order;
}

// From now to what the order makes of it; a merge of two lanes has one in between.
std::vector<std::string> Errand::MapsOf(const route::TopologyContent& now) const {
  uint64_t drawn = 0;  // lineages of a map that is thrown away
  const auto draw = [&drawn] { return ++drawn; };
  std::vector<std::string> maps = {ShapeOf(*now.map)};
  route::TopologyContent at = now;
  if (order_->kind == JobKind::kMerge) {
    const model::LaneId lane = ShardAt(*now.map, keyspace_, begin_).lane;
    if (auto moved = route::MoveShard(at, order_->with, lane)) {
      at = std::move(*moved);
      maps.push_back(ShapeOf(*at.map));
    }
  }
  auto next = order_->kind == JobKind::kMerge
                  ? route::MergeShards(at, order_->shard, order_->with, draw)
              : order_->kind == JobKind::kMove
                  ? route::MoveShard(at, order_->shard, order_->to)
                  : route::SplitShard(at, order_->shard, *order_->at_token, draw);
  if (next.has_value()) maps.push_back(ShapeOf(*next->map));
  return maps;
}

void Errand::Began(Reshaper& node) {
  CheckFiles();
  stuck_ = false;
  job_ = 0;
  if (maps_.empty()) return;
  const std::string now = ShapeOf(*node.Now()->map);
  size_t which = least_;
  while (which <= most_ && maps_[which] != now) ++which;
  if (which > most_) {
    return scene_.Broken("after a crash the map is none of those that it may be: " + now);
  }
  if (!order_) return;
  const auto again = node.jobs().Start(*order_);
  const bool happened = which + 1 == maps_.size();
  if (happened == again.has_value()) {
    return scene_.Broken(fmt::format("a job that had {}happened was asked for again, and {}",
                                     happened ? "" : "not ",
                                     again ? "taken" : again.error().message));
  }
  least_ = most_ = 0;
  if (again) {
    maps_ = MapsOf(*node.Now());
    job_ = *again;
    return;
  }
  maps_ = {now};
  order_.reset();
  wish_ = After(wish_, true);
}

void Errand::Ask(Reshaper& node) {
  const std::shared_ptr<const route::TopologyContent> now = node.Now();
  order_ = OrderFor(*now->map);
  maps_ = MapsOf(*now);
  least_ = most_ = 0;
  const auto started = node.jobs().Start(*order_);
  if (!started) return scene_.Broken("a job is refused: " + started.error().message);
  job_ = *started;
  scene_.Note("errand: {} of shard {} of keyspace {}", NameOf(order_->kind), order_->shard.value,
              keyspace_.value);
}

void Errand::Step(Reshaper& node, Prng& prng) {
  if (over() || (!chosen_ && !ChooseRange(node, prng))) return;
  if (job_ == 0) return Ask(node);
  const JobReport job = Report(node);
  if (wish_ == Wish::kTakenBack && job.phase == JobPhase::kCutover) (void)node.jobs().Abort(job_);
  if (job.ended()) Judge(node, job);
}

JobReport Errand::Report(const Reshaper& node) const {
  const std::vector<JobReport> jobs = node.jobs().List();
  return *std::find_if(jobs.begin(), jobs.end(),
                       [this](const JobReport& job) { return job.id == job_; });
}

size_t Errand::IndexOf(const Reshaper& node) {
  const std::string now = ShapeOf(*node.Now()->map);
  const auto at = std::find(maps_.begin(), maps_.end(), now);
  if (at == maps_.end()) {
    scene_.Broken("the map is none of those that it may be: " + now);
  }
  return static_cast<size_t>(at - maps_.begin());
}

// What is committed stays; the commit that is under way may have happened, or not.
void Errand::Ended(const Reshaper& node) {
  if (job_ == 0) return;
  const JobReport job = Report(node);
  least_ = most_ = IndexOf(node);
  if (job.phase == JobPhase::kCommit || IsUnknown(job))
    most_ = std::min(most_ + 1, maps_.size() - 1);
  const bool back = job.phase == JobPhase::kCutover || IsUnknown(job);
  if (wish_ == Wish::kTakenBack && back) least_ = 0;
}

void Errand::Judge(const Reshaper& node, const JobReport& job) {
  const size_t at = IndexOf(node), last = maps_.size() - 1;
  if (!scene_.held()) return;
  const bool aborts = wish_ == Wish::kTakenBack;
  if (job.state == JobState::kFailed && scene_.refusals && (at < last || IsUnknown(job))) {
    stuck_ = IsUnknown(job);
    if (!stuck_) job_ = 0;  // then it is asked for again
    return;
  }
  const bool right = (job.state == JobState::kDone && at == last) ||
                     (job.state == JobState::kAborted && at == 0 && aborts);
  if (!right) {
    return scene_.Broken(fmt::format("a job ended as {}: {}; the map is number {} of {}",
                                     NameOf(job.state), job.error, at, maps_.size()));
  }
  wish_ = After(wish_, job.state == JobState::kDone);
  order_.reset();
  job_ = 0;
  maps_ = {maps_[at]};
  least_ = most_ = 0;
}

void Errand::CheckFiles() {
  for (const std::string& path : scene_.world.files.Paths()) {
    if (path == "data/topology" || path.starts_with("data/log/")) continue;
    scene_.Broken("a job left the file " + path + " behind");
  }
}

void Errand::Check(const Reshaper& node) {
  CheckFiles();
  if (!node.Settled()) scene_.Broken("rows are lent, and no job is under way");
}

}  // namespace sluice::sim
