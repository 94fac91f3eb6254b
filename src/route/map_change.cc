#include "route/map_change.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace sluice::route {
namespace {

constexpr int kDrawsMax = 64;

using Shards = std::vector<model::Shard>;
using Retired = std::vector<model::RetiredShard>;

bool IsLineageKnown(const model::ShardMap& map, model::Lineage lineage) {
  const auto is = [&](const auto& shard) { return shard.lineage == lineage; };
  return std::any_of(map.shards().begin(), map.shards().end(), is) ||
         std::any_of(map.retired().begin(), map.retired().end(), is);
}

model::Lineage NewLineage(const model::ShardMap& map, const Draw& draw) {
  for (int i = 0; i < kDrawsMax; ++i) {
    const model::Lineage lineage(draw());
    if (lineage.value != 0 && !IsLineageKnown(map, lineage)) return lineage;
  }
  SLUICE_CHECK_MSG(false, "the source of random numbers repeats itself");
  return {};
}

void Retire(Retired& retired, const model::Shard& shard) {
  if (retired.size() == kRetiredMax) retired.erase(retired.begin());
  retired.push_back({shard.id, shard.keyspace, shard.begin, shard.end, shard.lineage, shard.epoch});
}

Result<TopologyContent> With(const TopologyContent& now, Shards shards, Retired retired) {
  TopologyContent next = now;
  SLUICE_ASSIGN(next.map, model::ShardMap::Make(now.map->epoch().Next(), std::move(shards),
                                                std::move(retired)));
  return next;
}

// A new shard in the place of `was`.
model::Shard Successor(TopologyContent& next, const model::Shard& was, const Draw& draw) {
  model::Shard shard = was;
  shard.id = model::ShardId(next.next_shard_id++);
  shard.lineage = NewLineage(*next.map, draw);
  shard.epoch = was.epoch.Next();
  return shard;
}

}  // namespace

Result<size_t> FindShard(const model::ShardMap& map, model::ShardId id) {
  const auto is = [&](const auto& shard) { return shard.id == id; };
  const auto& shards = map.shards();
  const auto at = std::find_if(shards.begin(), shards.end(), is);
  if (at != shards.end()) return static_cast<size_t>(at - shards.begin());
  const bool was = std::any_of(map.retired().begin(), map.retired().end(), is);
  return Fail(Code::kNotFound,
              was ? fmt::format("shard {} has been split or merged; it is no more", id.value)
                  : fmt::format("there is no shard {}; SLUICE SHARDS lists them", id.value));
}

Result<TopologyContent> SplitShard(const TopologyContent& now, model::ShardId id,
                                   std::string_view cut, const Draw& draw) {
  SLUICE_ASSIGN(const size_t at, FindShard(*now.map, id));
  const model::Shard was = now.map->shards()[at];
  if (cut <= was.begin || (!was.end.empty() && cut >= was.end)) {
    return Fail(Code::kInvalid,
                fmt::format("shard {} cannot be cut there: a part of it would be empty", id.value));
  }
  if (now.map->shards().size() >= kShardsMax) {
    return Fail(Code::kConflict, fmt::format("there are {} shards, as many as a node may have",
                                             now.map->shards().size()));
  }
  TopologyContent next = now;
  Shards shards = now.map->shards();
  Retired retired = now.map->retired();
  Retire(retired, was);
  shards[at] = Successor(next, was, draw);
  shards[at].end = cut;
  model::Shard second = Successor(next, was, draw);
  second.begin = cut;
  SLUICE_CHECK_MSG(second.lineage != shards[at].lineage, "a lineage was drawn twice");
  shards.push_back(std::move(second));
  return With(next, std::move(shards), std::move(retired));
}

Result<TopologyContent> MergeShards(const TopologyContent& now, model::ShardId one,
                                    model::ShardId other, const Draw& draw) {
  SLUICE_ASSIGN(const size_t a, FindShard(*now.map, one));
  SLUICE_ASSIGN(const size_t b, FindShard(*now.map, other));
  const size_t low = std::min(a, b), high = std::max(a, b);
  Shards shards = now.map->shards();
  if (high != low + 1 || shards[low].keyspace != shards[high].keyspace) {
    return Fail(Code::kInvalid,
                fmt::format("shards {} and {} are no neighbours: no one range holds both",
                            one.value, other.value));
  }
  if (shards[low].region != shards[high].region) {
    return Fail(Code::kInvalid,
                fmt::format("shards {} and {} are of different regions", one.value, other.value));
  }
  if (shards[low].lane != shards[high].lane || shards[low].owner != shards[high].owner) {
    return Fail(Code::kConflict,
                fmt::format("shards {} and {} have different owners", one.value, other.value));
  }
  TopologyContent next = now;
  Retired retired = now.map->retired();
  Retire(retired, shards[low]);
  Retire(retired, shards[high]);
  const std::string end = shards[high].end;
  const model::Epoch epoch = std::max(shards[low].epoch, shards[high].epoch);
  shards[low] = Successor(next, shards[low], draw);
  shards[low].end = end;
  shards[low].epoch = epoch.Next();
  shards.erase(shards.begin() + static_cast<ptrdiff_t>(high));
  return With(next, std::move(shards), std::move(retired));
}

Result<TopologyContent> MoveShard(const TopologyContent& now, model::ShardId id, model::LaneId to) {
  SLUICE_ASSIGN(const size_t at, FindShard(*now.map, id));
  Shards shards = now.map->shards();
  if (shards[at].lane == to) {
    return Fail(Code::kInvalid, fmt::format("lane {} owns shard {} already", to.value, id.value));
  }
  shards[at].lane = to;
  shards[at].epoch = shards[at].epoch.Next();
  return With(now, std::move(shards), now.map->retired());
}

TopologyContent PlaceOnLanes(const TopologyContent& now, uint16_t lanes) {
  TopologyContent placed = now;
  Shards shards = now.map->shards();
  for (size_t i = 0; i < shards.size(); ++i) {
    if (now.lanes == lanes && shards[i].lane.value < lanes) continue;
    shards[i].lane = model::LaneId(static_cast<uint16_t>(i % lanes));
  }
  placed.lanes = lanes;
  placed.map = *model::ShardMap::Make(now.map->epoch(), std::move(shards), now.map->retired());
  return placed;
}

}  // namespace sluice::route
