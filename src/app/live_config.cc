#include "app/live_config.h"

#include <algorithm>
#include <map>

namespace sluice::app {
namespace {

// Names of settings that differ.
std::vector<std::string> Differences(const config::Config& a, const config::Config& b) {
  std::map<std::string, std::string> values;
  for (config::Item& item : config::Items(a)) values.emplace(item.name, item.value);
  std::vector<std::string> names;
  for (const config::Item& item : config::Items(b)) {
    const auto found = values.find(item.name);
    if (found == values.end() || found->second != item.value) names.push_back(item.name);
    if (found != values.end()) values.erase(found);
  }
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

bool SameUsers(const std::vector<config::UserConfig>& a, const std::vector<config::UserConfig>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.name == y.name && x.password_sha256 == y.password_sha256 && x.commands == y.commands &&
           x.keys == y.keys;
  });
}

}  // namespace

config::Config LiveConfig::Now() {
  const std::lock_guard lock(mutex_);
  return now_;
}

Status LiveConfig::Set(std::span<const config::NewValue> values) {
  const std::lock_guard lock(mutex_);
  SLUICE_ASSIGN(now_, config::With(now_, values));
  on_change_(now_);
  return Ok();
}

Result<LiveConfig::Reloaded> LiveConfig::Reload() {
  if (file_.empty()) return Fail(Code::kNotFound, "the node was started without --config");
  SLUICE_ASSIGN(const config::Config wanted, config::LoadFile(file_, overrides_));
  const std::lock_guard lock(mutex_);
  SLUICE_ASSIGN(config::Config next, config::Adopt(now_, wanted));
  Reloaded reloaded;
  reloaded.changed = Differences(now_, next);
  if (!SameUsers(now_.users, next.users)) reloaded.changed.emplace_back("user");
  reloaded.waiting = Differences(next, wanted);
  now_ = std::move(next);
  on_change_(now_);
  return reloaded;
}

}  // namespace sluice::app
