#include "ingest/map_hands.h"

#include <fmt/format.h>

#include "ingest/reshape.h"
#include "model/stored_key.h"
#include "route/map_change.h"

namespace sluice::ingest {
namespace {

constexpr uint64_t kLookUs = 1'000;  // whether lanes that rest have come to their end
// Walks over keys are given so long to end with the sockets open.
constexpr uint64_t kWalkUs = 2'000'000;

bool Same(const model::ShardMap& a, const model::ShardMap& b) {
  return a.epoch() == b.epoch() && a.shards() == b.shards();
}

}  // namespace

MapHands::MapHands(Node& node, route::Topology& topology, route::TopologyContent now,
                   env::Clock& clock, Ways ways)
    : node_(node), topology_(topology), clock_(clock), ways_(std::move(ways)) {
  for (size_t i = 0; i < node.lanes.size(); ++i) {
    stored_.push_back(std::make_shared<std::atomic<uint64_t>>(0));
  }
  SetNow(std::move(now));
}

void MapHands::SetNow(route::TopologyContent now) {
  const std::lock_guard lock(mutex_);
  now_ = std::make_shared<const route::TopologyContent>(std::move(now));
}

std::shared_ptr<const route::TopologyContent> MapHands::Now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

Result<std::string> MapHands::LoadMedian(model::ShardId id) {
  const std::shared_ptr<const route::TopologyContent> now = Now();
  SLUICE_ASSIGN(const size_t at, route::FindShard(*now->map, id));
  return ways_.median(now->map->shards()[at]);
}

Result<std::string> MapHands::TokenOf(const model::Shard& shard, const std::string& key) {
  std::string token;
  if (key.size() > model::kKeyBytesMax) return Fail(Code::kInvalid, "that key is too long");
  const auto placed = node_.layout().router->Place(key, &token);
  if (!placed.has_value()) return Fail(placed.error());
  if (placed->keyspace->id == shard.keyspace) return token;
  return Fail(Code::kInvalid, fmt::format("that key is of keyspace {}, and not of the shard's",
                                          placed->keyspace->name));
}

// A job has time; while clients' writes wait for room, it does.
std::string MapHands::Admit() {
  if (node_.disk_low.load() || node_.committer->no_space()) return "room on the disk";
  if (node_.lanes_full.load() > 0) return "room in a lane's write buffer";
  if (node_.committer->full()) return "room in the log's queue";
  if (node_.budget.Take(model::Priority::kBackground, 1)) return {};
  return fmt::format("its share of the budget: {} is near its bound",
                     admit::NameOf(node_.budget.cause()));
}

void MapHands::BeginStore(model::LaneId lane) {
  node_.fabric.Post(lane, [stored = stored_[lane.value]](Lane& there) {
    there.StoreSoon([stored](Lane&) { ++*stored; });
  });
}

uint64_t MapHands::Stored(model::LaneId lane) const {
  return *stored_[lane.value];
}

Status MapHands::Commit(const route::TopologyContent& next) {
  if (unknown_) {
    return Fail(Code::kOutcomeUnknown,
                "what the topology holds is not known since a change of it failed; start the node "
                "again");
  }
  const uint64_t version = Now()->version;
  const Status swapped = topology_.CompareAndSwap(version, next);
  auto held = topology_.Load();
  if (held.has_value() && held->version == version) {
    return swapped.ok() ? Fail(Code::kConflict, "it was not kept") : swapped;
  }
  // Without its last sync a swap can be read back and yet be gone after a power cut.
  if (!swapped.ok() || !held.has_value()) {
    unknown_ = true;
    return Fail(Code::kOutcomeUnknown,
                swapped.ok() ? held.error().message : swapped.error().message);
  }
  SetNow(std::move(*held));
  return Ok();
}

std::string MapHands::TakeOver() {
  const std::shared_ptr<const route::TopologyContent> now = Now();
  if (now->map->epoch() == node_.router->map().epoch()) return {};
  ways_.learn(*now->map);
  const uint64_t began_us = clock_.MonotonicUs();
  if (!node_.pinned()) {
    walked_from_us_ = 0;
  } else if (walked_from_us_ == 0) {
    walked_from_us_ = began_us;
  }
  if (walked_from_us_ != 0 && began_us - walked_from_us_ < kWalkUs) return "a walk over keys";
  const auto next = std::make_shared<const route::Router>(*node_.router, now->map);
  std::string waits = "the lanes";
  bool taken = false;
  node_.resting = true;
  meters_.attempts.Add();
  while (!taken && clock_.MonotonicUs() - began_us < rebalance::kRestUsMost) {
    ways_.still([&] {
      const uint64_t stood_us = clock_.MonotonicUs();
      waits = WhyNotYet(node_, *now->map);
      taken = waits.empty();
      if (taken) Reshape(node_, next);
      if (taken) meters_.halt.Record(clock_.MonotonicUs() - stood_us);
    });
    if (!taken) ways_.sleep(kLookUs);
  }
  node_.resting = false;
  for (const Lane* lane : node_.lanes) node_.fabric.Wake(lane->id());
  if (!taken) return waits;
  meters_.rest.Record(clock_.MonotonicUs() - began_us);
  return {};
}

bool MapHands::Settled() const {
  return node_.loans.load() == 0;
}

Result<std::string> MapHands::Verify() {
  const std::shared_ptr<const route::TopologyContent> now = Now();
  SLUICE_ASSIGN(const route::TopologyContent held, topology_.Load());
  if (held.version != now->version || !Same(*held.map, *now->map)) {
    return Fail(
        Code::kCorrupt,
        fmt::format("the topology holds version {} of epoch {}, and version {} of epoch {} "
                    "was committed",
                    held.version, held.map->epoch().value, now->version, now->map->epoch().value));
  }
  for (const Lane* lane : node_.lanes) {
    if (Same(lane->shards().map(), *held.map)) continue;
    return Fail(Code::kCorrupt, fmt::format("lane {} serves by a map of epoch {}, and the topology "
                                            "holds one of epoch {}",
                                            lane->id().value, lane->shards().map().epoch().value,
                                            held.map->epoch().value));
  }
  return fmt::format("the topology, read back, and {} lane{} have the same {} shards of epoch {}",
                     node_.lanes.size(), node_.lanes.size() == 1 ? "" : "s",
                     held.map->shards().size(), held.map->epoch().value);
}

}  // namespace sluice::ingest
