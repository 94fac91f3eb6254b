#include "app/heat_watch.h"

#include <fmt/format.h>

#include <cmath>

#include "base/log_line.h"

namespace sluice::app {
namespace {

constexpr uint64_t kEveryUs = 1'000'000;

}  // namespace

HeatWatch::HeatWatch(const ingest::Node& node, env::Clock& clock) : node_(node), clock_(clock) {
  for (const model::Keyspace& keyspace : node.router->keyspaces()) watched_[keyspace.id];
}

void HeatWatch::Look() {
  const uint64_t now_us = clock_.MonotonicUs();
  if (now_us < next_us_) return;
  next_us_ = now_us + kEveryUs;
  for (const model::Keyspace& keyspace : node_.router->keyspaces()) {
    LookAt(keyspace, watched_.at(keyspace.id));
  }
}

void HeatWatch::LookAt(const model::Keyspace& keyspace, Watched& watched) {
  const auto [first, last] = node_.router->map().OfKeyspace(keyspace.id);
  const std::vector<double> writes(node_.shard_writes.begin() + static_cast<std::ptrdiff_t>(first),
                                   node_.shard_writes.begin() + static_cast<std::ptrdiff_t>(last));
  const std::optional<heat::Skew> skew = heat::SkewOf(writes);
  const bool warn = watched.alarm.Look(skew);
  if (!skew) {
    watched.meters.skew.Set(-1);
    watched.meters.hottest.Set(-1);
    return;
  }
  const uint32_t shard = node_.router->map().shards()[first + skew->hottest].id.value;
  watched.meters.skew.Set(std::llround(100 * skew->times));
  watched.meters.hottest.Set(shard);
  if (!warn) return;
  LogWarning("heat",
             "one shard is much hotter than the others of its keyspace; SLUICE HOTKEYS names the "
             "keys that are written most",
             {{"keyspace", keyspace.name},
              {"shard", shard},
              {"writes_per_second", static_cast<uint64_t>(skew->writes)},
              {"times_the_mean", fmt::format("{:.1f}", skew->times)}});
}

}  // namespace sluice::app
