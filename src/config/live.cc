#include "config/live.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/print.h"

namespace sluice::config {
namespace {

constexpr std::string_view kSource = "the running configuration";

const KeyspaceConfig* Find(const Config& config, std::string_view name) {
  const auto found = std::find_if(config.keyspaces.begin(), config.keyspaces.end(),
                                  [&](const KeyspaceConfig& one) { return one.name == name; });
  return found == config.keyspaces.end() ? nullptr : &*found;
}

// With keyspace `default`, which is there whether or not the file speaks of it.
Config WithDefault(Config config) {
  if (Find(config, kDefaultName) != nullptr) return config;
  auto usual = Load(fmt::format("[keyspace.{}]\n", kDefaultName), kSource, {});
  config.keyspaces.push_back(std::move(usual->keyspaces.front()));
  return config;
}

template <class S>
void ListSection(const std::string& section, std::span<const Setting<S>> settings, const S& from,
                 std::vector<Item>& to) {
  for (const Setting<S>& setting : settings) {
    std::string value = ValueOf(setting, from);
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    if (quoted) value = value.substr(1, value.size() - 2);
    to.push_back({fmt::format("{}.{}", section, setting.name), std::move(value), setting.change});
  }
}

template <class S>
void CopyLive(std::span<const Setting<S>> settings, const S& from, S& to) {
  for (const Setting<S>& setting : settings) {
    if (setting.change != Change::kLive) continue;
    std::visit(
        [&](auto slot) {
          if constexpr (!std::is_same_v<decltype(slot), std::monostate>) to.*slot = from.*slot;
        },
        setting.slot);
  }
}

// Everything that must hold between settings is looked at once more.
Result<Config> Checked(const Config& config, const Overrides& overrides) {
  auto loaded = Load(ToToml(config), kSource, overrides);
  if (loaded.has_value()) return loaded;
  std::string_view why = loaded.error().message;
  why = why.substr(0, why.find('\n'));
  // What was said is known to who said it.
  for (const std::string& set : overrides.set) {
    const std::string place = fmt::format("--set {}: ", set);
    if (why.starts_with(place)) why.remove_prefix(place.size());
  }
  return Fail(Code::kInvalid, std::string(why));
}

}  // namespace

std::vector<Item> Items(const Config& config) {
  std::vector<Item> items;
  ListSection("server", ServerSettings(), config.server, items);
  ListSection("log", LogSettings(), config.log, items);
  ListSection("rebalance", RebalanceSettings(), config.rebalance, items);
  for (const KeyspaceConfig& keyspace : WithDefault(config).keyspaces) {
    ListSection("keyspace." + keyspace.name, KeyspaceSettings(), keyspace, items);
  }
  for (const ProjectionConfig& projection : config.projections) {
    ListSection("projection." + projection.name, ProjectionSettings(), projection, items);
  }
  return items;
}

Result<Config> With(const Config& now, std::span<const NewValue> values) {
  const std::vector<Item> items = Items(now);
  Overrides overrides;
  for (const auto& [name, value] : values) {
    const auto item = std::find_if(items.begin(), items.end(),
                                   [&name = name](const Item& one) { return one.name == name; });
    if (item == items.end()) return Fail(Code::kNotFound, std::string(name));
    if (item->change != Change::kLive) return Fail(Code::kConflict, std::string(name));
    overrides.set.push_back(fmt::format("{}={}", name, value));
  }
  return Checked(WithDefault(now), overrides);
}

Result<Config> Adopt(const Config& now, const Config& wanted) {
  Config next = WithDefault(now);
  const Config from = WithDefault(wanted);
  CopyLive(ServerSettings(), from.server, next.server);
  CopyLive(LogSettings(), from.log, next.log);
  CopyLive(RebalanceSettings(), from.rebalance, next.rebalance);
  for (KeyspaceConfig& keyspace : next.keyspaces) {
    const KeyspaceConfig* found = Find(from, keyspace.name);
    if (found != nullptr) CopyLive(KeyspaceSettings(), *found, keyspace);
  }
  next.users = from.users;
  return Checked(next, {});
}

}  // namespace sluice::config
