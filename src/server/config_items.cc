#include "server/config_items.h"

#include <algorithm>

#include "config/live.h"
#include "resp/parser.h"

namespace sluice::server {
namespace {

constexpr std::string_view kImmutable = "can't set immutable config";
constexpr std::string_view kFixed = "Sluice works in one way here, it cannot be set";
constexpr std::string_view kInFile =
    "it is set in the configuration file and takes effect at the next start";
constexpr std::string_view kInData = "it is baked into the stored data";
constexpr std::string_view kAtBirth = "it says how things began; later changes have no effect";

std::vector<ConfigItem> RedisItems(const config::Config& config) {
  const std::string bulk = std::to_string(resp::kLimits.bulk_bytes_max);
  return {
      {"appendfsync", "always", kFixed},
      {"appendonly", "yes", kFixed},
      {"bind", config.server.listen.host, kInFile},
      {"client-query-buffer-limit", std::to_string(resp::kLimits.command_bytes_max), kFixed},
      {"databases", "1", kImmutable},
      {"io-threads", "1", kImmutable},
      {"latency-tracking", "yes", kFixed},
      {"latency-tracking-info-percentiles", "50 99 99.9", kFixed},
      {"lua-time-limit", "0", kFixed},
      {"maxmemory", std::to_string(config.server.memory_bytes), kInFile},
      {"maxmemory-policy", "noeviction", kFixed},
      {"notify-keyspace-events", "", kFixed},
      {"port", std::to_string(config.server.listen.port), kInFile},
      {"proto-max-bulk-len", bulk, kFixed},
      {"replica-read-only", "yes", kFixed},
      {"save", "", kFixed},
      {"tcp-keepalive", "300", kFixed},
      {"timeout", "0", kFixed},
      {"cluster-enabled", "no", kImmutable},
  };
}

std::string_view RefusalOf(config::Change change) {
  switch (change) {
    case config::Change::kLive:
      return {};
    case config::Change::kNever:
      return kInData;
    case config::Change::kBegin:
      return kAtBirth;
    case config::Change::kRestart:
      break;
  }
  return kInFile;
}

}  // namespace

std::vector<ConfigItem> ConfigItems(const config::Config& config) {
  std::vector<ConfigItem> items = RedisItems(config);
  for (config::Item& item : config::Items(config)) {
    items.push_back({std::move(item.name), std::move(item.value), RefusalOf(item.change)});
  }
  std::sort(items.begin(), items.end(),
            [](const ConfigItem& a, const ConfigItem& b) { return a.name < b.name; });
  return items;
}

}  // namespace sluice::server
