#include "app/heat_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/log_line.h"

namespace sluice::app {
namespace {

constexpr uint64_t kEveryUs = 1'000'000;
constexpr uint64_t kSaveEveryUs = 300 * kEveryUs;  // what a crash may forget of the history

// Keyspace `default`, whose token is not described, hashes its keys.
bool HashesOnly(const model::Keyspace& keyspace) {
  return keyspace.token.empty() ||
         (keyspace.token.size() == 1 && keyspace.token[0].kind == model::TokenPartKind::kHash);
}

// Where tokens are hashes, even cuts are as good as any; else shards' bounds are what is known.
heat::History NewHistory(const model::Keyspace& keyspace, const model::ShardMap& map,
                         uint64_t seed) {
  std::vector<std::string> cuts;
  if (HashesOnly(keyspace)) {
    for (uint32_t i = 1; i < heat::kBuckets; ++i) {
      cuts.push_back(model::EvenHashCut(i, heat::kBuckets));
    }
    return heat::History(cuts, heat::History::Cuts::kFixed, seed);
  }
  const auto [first, last] = map.OfKeyspace(keyspace.id);
  for (size_t i = first + 1; i < last && cuts.size() < heat::kBuckets / 2; ++i) {
    cuts.push_back(map.shards()[i].begin);
  }
  return heat::History(cuts, heat::History::Cuts::kLearned, seed);
}

}  // namespace

HeatWatch::HeatWatch(ingest::Node& node, env::Env env, const std::string& data_dir)
    : node_(node), env_(env), files_(env.files, data_dir), recent_(env.entropy.Next()) {
  for (const model::Keyspace& keyspace : node.router->keyspaces()) {
    watched_[keyspace.id].history = files_.Read(keyspace.id, env.entropy.Next());
  }
}

void HeatWatch::Look() {
  const uint64_t now_us = env_.clock.MonotonicUs();
  if (now_us < next_us_) return;
  next_us_ = now_us + kEveryUs;
  for (const model::Keyspace& keyspace : node_.layout().router->keyspaces()) {
    LookAt(keyspace, watched_.at(keyspace.id));
  }
  Gather(now_us);
  SaveOne(now_us);
}

void HeatWatch::LookAt(const model::Keyspace& keyspace, Watched& watched) {
  const ingest::Node::Layout layout = node_.layout();
  const auto [first, last] = layout.router->map().OfKeyspace(keyspace.id);
  const std::vector<double> writes(layout.loads->begin() + static_cast<std::ptrdiff_t>(first),
                                   layout.loads->begin() + static_cast<std::ptrdiff_t>(last));
  const std::optional<heat::Skew> skew = heat::SkewOf(writes);
  const bool warn = watched.alarm.Look(skew);
  if (!skew) {
    watched.meters.skew.Set(-1);
    watched.meters.hottest.Set(-1);
    return;
  }
  const model::Shard& shard = layout.router->map().shards()[first + skew->hottest];
  watched.meters.skew.Set(std::llround(100 * skew->times));
  watched.meters.hottest.Set(shard.id.value);
  if (!warn) return;
  LogWarning("heat", "one shard is much hotter than the others of its keyspace",
             {{"keyspace", keyspace.name},
              {"shard", shard.id.value},
              {"writes_per_second", static_cast<uint64_t>(skew->writes)},
              {"times_the_mean", fmt::format("{:.1f}", skew->times)},
              {"what_helps", heat::WhatHelps(CutOf(keyspace.id, shard.begin, shard.end),
                                             layout.router->policy(keyspace.id).folds)}});
}

void HeatWatch::Gather(uint64_t now_us) {
  std::vector<ingest::HeatReport> reports = node_.heat_reports.Take(node_.committer->durable());
  std::vector<heat::Sample> samples;
  for (ingest::HeatReport& report : reports) {
    std::move(report.samples.begin(), report.samples.end(), std::back_inserter(samples));
    report.samples.clear();
  }
  std::map<model::KeyspaceId, std::vector<const heat::Sample*>> by_keyspace;
  for (const heat::Sample& sample : samples) by_keyspace[sample.keyspace].push_back(&sample);
  const std::lock_guard lock(mutex_);
  for (ingest::HeatReport& report : reports) last_[report.lane] = std::move(report);
  recent_.EndSecond(now_us / kEveryUs, node_.layout().router->map(), samples);
  for (auto& [id, watched] : watched_) Remember(id, watched, by_keyspace[id]);
  if (samples.empty()) return;
  last_samples_ = std::move(samples);
  last_samples_s_ = now_us / kEveryUs;
}

HeatWatch::Sampled HeatWatch::LastSampled() const {
  const std::lock_guard lock(mutex_);
  Sampled sampled{.second = last_samples_s_, .keys = {}};
  // Lanes sample at rates of their own. A key is shown each time that those since the last one
  // stand for as many writes as the heaviest does, so that all that are shown stand for the same.
  double most = 0, since = 0;
  for (const heat::Sample& each : last_samples_) most = std::max(most, each.weight);
  for (const heat::Sample& each : last_samples_) {
    since += each.weight;
    if (since < most) continue;
    since -= most;
    sampled.keys[each.keyspace].push_back(each.key);
  }
  return sampled;
}

void HeatWatch::Remember(model::KeyspaceId keyspace, Watched& watched,
                         const std::vector<const heat::Sample*>& samples) {
  if (!watched.history && samples.empty()) return;
  if (!watched.history) {
    const std::shared_ptr<const route::Router> router = node_.layout().router;
    watched.history = NewHistory(router->keyspace(keyspace), router->map(), env_.entropy.Next());
  }
  watched.history->EndSecond(env_.clock.WallMs() / 1'000, samples);
  watched.changed = watched.changed || !samples.empty();
}

void HeatWatch::SaveOne(uint64_t now_us) {
  for (auto& [id, watched] : watched_) {
    if (watched.saved_us == 0) watched.saved_us = now_us;
    if (!watched.changed || now_us - watched.saved_us < kSaveEveryUs) continue;
    watched.saved_us = now_us;
    return Save(id, watched);
  }
}

void HeatWatch::Save(model::KeyspaceId keyspace, Watched& watched) {
  std::string bytes;
  {
    const std::lock_guard lock(mutex_);
    if (!watched.history) return;
    bytes = watched.history->Encode();
    watched.changed = false;
  }
  files_.Write(keyspace, bytes);
}

void HeatWatch::Save() {
  for (auto& [id, watched] : watched_) Save(id, watched);
}

std::optional<heat::LoadCut> HeatWatch::CutOf(model::KeyspaceId keyspace, std::string_view begin,
                                              std::string_view end) const {
  const std::lock_guard lock(mutex_);
  return recent_.CutOf(keyspace, begin, end);
}

std::optional<heat::Picture> HeatWatch::Show(model::KeyspaceId keyspace, size_t resolution,
                                             uint64_t from_s, uint64_t to_s, size_t buckets) {
  const std::lock_guard lock(mutex_);
  std::optional<heat::History>& history = watched_.at(keyspace).history;
  if (!history) return std::nullopt;
  return history->Show(resolution, from_s, to_s, buckets);
}

std::map<model::ShardId, heat::ShardHeat> HeatWatch::Shards() const {
  const std::lock_guard lock(mutex_);
  std::map<model::ShardId, heat::ShardHeat> shards;
  for (const auto& [lane, report] : last_) {
    for (const ingest::HeatReport::Shard& shard : report.shards) shards[shard.shard] = shard.heat;
  }
  return shards;
}

std::vector<ingest::HeatReport::Key> HeatWatch::HotKeys() const {
  std::vector<ingest::HeatReport::Key> keys;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [lane, report] : last_) {
      keys.insert(keys.end(), report.keys.begin(), report.keys.end());
    }
  }
  std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) {
    return a.hot.per_second > b.hot.per_second;
  });
  return keys;
}

}  // namespace sluice::app
