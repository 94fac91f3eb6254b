#include "app/balance_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sluice::app {
namespace {

// What a node's owners are: its lanes. Regions' tags tell nodes apart, so here they bind nobody.
rebalance::SurveyedKeyspace KeyspaceOf(const model::Keyspace& keyspace,
                                       const config::Config& config) {
  rebalance::SurveyedKeyspace told{.id = keyspace.id, .name = keyspace.name};
  const auto found =
      std::find_if(config.keyspaces.begin(), config.keyspaces.end(),
                   [&](const config::KeyspaceConfig& one) { return one.name == keyspace.name; });
  if (found != config.keyspaces.end()) {
    told.capacity = found->shard_capacity;
    told.split_at = found->split_share;
    told.shards_least = static_cast<uint32_t>(found->shards);
  } else {
    told.shards_least = config::kHashShardsUsual;
  }
  for (const model::Region& region : keyspace.regions) {
    told.regions.push_back({.name = region.name, .tag = {}, .shards_least = region.shards});
  }
  return told;
}

rebalance::Rates RatesOf(const heat::ShardHeat& heat) {
  return {heat.second.load.writes, heat.minute.load.writes, heat.ten_minutes.load.writes,
          heat.busiest_minute};
}

// What the heat knows of a shard.
void AddHeat(const NodeSeen& seen, const model::Shard& shard, rebalance::SurveyedShard& told) {
  const auto heat = seen.heat.find(shard.id);
  if (heat == seen.heat.end()) return;
  told.writes = RatesOf(heat->second);
  told.cpu = heat->second.minute.load.cpu_us / 1e6;
  if (told.writes.minute < kCutWritesLeast) return;
  const auto cut = seen.cut(shard);
  if (!cut) return;
  if (!cut->at.empty()) told.cut = rebalance::LoadCut{cut->at, cut->below};
  told.hottest = rebalance::SurveyedHotKey{cut->key, cut->share};
  told.rising = cut->rising;
}

void AddJobs(const NodeSeen& seen, rebalance::SurveyedShard& told) {
  for (const JobUnderWay& job : seen.jobs) {
    if (job.shard != told.id && job.with != told.id) continue;
    told.busy = true;
    if (job.to) told.moving_to = job.to->value;
  }
}

}  // namespace

rebalance::Survey Surveyor::Look(const NodeSeen& seen, uint64_t now_us) {
  rebalance::Survey survey{.now_us = now_us,
                           .since_us = first_us_.value_or(now_us),
                           .keyspaces = {},
                           .owners = {},
                           .shards = {}};
  for (const model::Keyspace& each : seen.keyspaces) {
    survey.keyspaces.push_back(KeyspaceOf(each, seen.config));
  }
  for (size_t i = 0; i < seen.lanes; ++i) {
    survey.owners.push_back({.name = fmt::format("lane {}", i)});
  }
  std::map<model::ShardId, Place> places;
  for (size_t i = 0; i < seen.map.shards().size(); ++i) {
    const model::Shard& each = seen.map.shards()[i];
    Place place{each.begin, each.end, seen.owners[i], first_us_ ? now_us : 0};
    const auto before = places_.find(each.id);
    if (before != places_.end() && before->second.IsSame(place)) {
      place.since_us = before->second.since_us;
    }
    rebalance::SurveyedShard told{.id = each.id,
                                  .keyspace = each.keyspace,
                                  .begin = each.begin,
                                  .end = each.end,
                                  .region = each.region,
                                  .owner = seen.owners[i].value,
                                  .writes = {},
                                  .cpu = 0,
                                  .bytes = 0,
                                  .changed_us = place.since_us};
    AddHeat(seen, each, told);
    AddJobs(seen, told);
    survey.shards.push_back(std::move(told));
    places[each.id] = std::move(place);
  }
  survey.jobs = seen.jobs.size();
  places_ = std::move(places);
  first_us_ = survey.since_us;
  return survey;
}

rebalance::Settings SettingsOf(const config::RebalanceConfig& config) {
  rebalance::Settings settings{.mode = static_cast<rebalance::Mode>(config.acts),
                               .cooldown_us = config.cooldown_ms * 1'000,
                               .window = {},
                               .jobs = config.jobs};
  if (config.within) settings.window = {config.within->from, config.within->to};
  return settings;
}

}  // namespace sluice::app
