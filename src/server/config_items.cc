#include "server/config_items.h"

#include <algorithm>
#include <sstream>

#include "config/print.h"
#include "config/settings.h"
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
      {"latency-monitor-threshold", "0", kFixed},
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
    case config::Change::kNever:
      return kInData;
    case config::Change::kBegin:
      return kAtBirth;
    case config::Change::kRestart:
      break;
  }
  return kInFile;
}

// The setting's row in the table of its section.
std::string_view RefusalOf(std::string_view section, std::string_view name) {
  if (!section.starts_with("keyspace.")) return kInFile;
  for (const auto& setting : config::KeyspaceSettings()) {
    if (setting.name == name) return RefusalOf(setting.change);
  }
  return kInFile;
}

std::string Unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return std::string(quoted ? value.substr(1, value.size() - 2) : value);
}

}  // namespace

std::vector<ConfigItem> ConfigItems(const config::Config& config) {
  std::vector<ConfigItem> items = RedisItems(config);
  config::Config shown = config;
  shown.users.clear();
  std::istringstream lines(config::ToToml(shown));
  std::string line, section;
  while (std::getline(lines, line)) {
    const size_t equals = line.find(" = ");
    if (line.starts_with('[')) {
      section = line.substr(1, line.size() - 2);
    } else if (!line.starts_with('#') && equals != std::string::npos) {
      const std::string name = line.substr(0, equals);
      items.push_back({section + "." + name, Unquoted(std::string_view(line).substr(equals + 3)),
                       RefusalOf(section, name)});
    }
  }
  std::sort(items.begin(), items.end(),
            [](const ConfigItem& a, const ConfigItem& b) { return a.name < b.name; });
  return items;
}

}  // namespace sluice::server
