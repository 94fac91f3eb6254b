// CONFIG: what the server was told. Names of Redis stand beside Sluice's own, which are
// section.key.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/glob.h"
#include "base/number.h"
#include "base/text.h"
#include "server/config_items.h"
#include "server/connections.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

// What CONFIG SET can change.
struct Live {
  std::string_view name;
  int64_t least;
  int64_t (*most)(const Context&);
  int64_t (*get)(const Context&);
  void (*set)(Context&, int64_t);
};

constexpr Live kLive[] = {
    {"maxclients", 1,
     [](const Context& context) { return static_cast<int64_t>(context.clients_most); },
     [](const Context& context) { return static_cast<int64_t>(context.clients_max.load()); },
     [](Context& context, int64_t value) {
       context.clients_max.store(static_cast<uint64_t>(value));
     }},
    {"latency-monitor-threshold", 0, [](const Context&) { return INT64_MAX; },
     [](const Context& context) { return context.latency.threshold_ms.load(); },
     [](Context& context, int64_t value) { context.latency.threshold_ms.store(value); }},
    {"slowlog-log-slower-than", -1, [](const Context&) { return INT64_MAX; },
     [](const Context& context) { return context.slow_log.threshold_us.load(); },
     [](Context& context, int64_t value) { context.slow_log.threshold_us.store(value); }},
    {"slowlog-max-len", 0,
     [](const Context&) { return static_cast<int64_t>(SlowLog::kEntriesMost); },
     [](const Context& context) { return context.slow_log.max_entries.load(); },
     [](Context& context, int64_t value) { context.slow_log.max_entries.store(value); }},
};

const Live* FindLive(std::string_view name) {
  const auto* found = std::find_if(std::begin(kLive), std::end(kLive),
                                   [&](const Live& live) { return EqualFolded(name, live.name); });
  return found == std::end(kLive) ? nullptr : found;
}

Answer Get(Call& call) {
  const command::Args patterns = call.args.subspan(2);
  const auto wanted = [&](std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
      return GlobMatch(pattern, name, Letters::kAnyCase);
    });
  };
  std::vector<std::pair<std::string, std::string>> found;
  for (const Live& live : kLive) {
    if (wanted(live.name)) found.emplace_back(live.name, std::to_string(live.get(call.context)));
  }
  for (const ConfigItem& item : ConfigItems(call.context.settings->Now())) {
    if (wanted(item.name)) found.emplace_back(item.name, item.value);
  }
  call.reply.Map(found.size());
  for (const auto& [name, value] : found) {
    call.reply.Bulk(name);
    call.reply.Bulk(value);
  }
  return {};
}

std::string Failed(std::string_view name, std::string_view why) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
}

// Names are of any case, as in Redis; where two differ by it alone, the case decides.
const ConfigItem* FindItem(std::span<const ConfigItem> items, std::string_view name) {
  const std::string lower = Lower(name);
  const ConfigItem* found = nullptr;
  for (const ConfigItem& item : items) {
    if (item.name == name) return &item;
    if (!EqualFolded(item.name, lower)) continue;
    if (found != nullptr) return nullptr;
    found = &item;
  }
  return found;
}

// Of `values`, the setting that `why` names first: `why` speaks of all that would hold then.
std::string_view BlamedBy(std::string_view why, std::span<const config::NewValue> values) {
  std::string_view blamed = values.front().name;
  size_t at = why.find(blamed);
  for (const config::NewValue& value : values) {
    const size_t found = why.find(value.name);
    // One name may begin another.
    const bool longer = found == at && value.name.size() > blamed.size();
    if (found == std::string_view::npos || (found >= at && !longer)) continue;
    blamed = value.name;
    at = found;
  }
  return blamed;
}

// Sets Sluice's own settings, section.key: all of them, or none and returns the error.
std::string SetOwn(Settings& settings, std::span<const config::NewValue> values) {
  if (values.empty()) return {};
  const std::vector<ConfigItem> items = ConfigItems(settings.Now());
  std::vector<config::NewValue> named;
  for (const auto& [name, value] : values) {
    const ConfigItem* item = FindItem(items, name);
    if (item != nullptr && !item->refusal.empty()) return Failed(name, item->refusal);
    named.push_back({item == nullptr ? name : std::string_view(item->name), value});
  }
  const Status set = settings.Set(named);
  if (set.ok()) return {};
  const std::string& why = set.error().message;
  if (set.error().code != Code::kNotFound) return Failed(BlamedBy(why, named), why);
  return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", why);
}

// All or nothing, as in Redis: nothing is set before everything was looked at.
Answer Set(Call& call) {
  const command::Args words = call.args.subspan(2);
  if (words.size() % 2 != 0) return RefuseSyntax(call);
  std::vector<std::pair<const Live*, int64_t>> changes;
  std::vector<config::NewValue> own;
  for (size_t at = 0; at < words.size(); at += 2) {
    const Live* live = FindLive(words[at]);
    if (live == nullptr) {
      own.push_back({words[at], words[at + 1]});
      continue;
    }
    int64_t value = 0;
    if (!ParseInt(words[at + 1], &value)) {
      return Refuse(call, Failed(words[at], "argument couldn't be parsed into an integer"));
    }
    const int64_t most = live->most(call.context);
    if (value < live->least || value > most) {
      return Refuse(call,
                    Failed(words[at], fmt::format("argument must be between {} and {} inclusive",
                                                  live->least, most)));
    }
    changes.emplace_back(live, value);
  }
  if (const std::string error = SetOwn(*call.context.settings, own); !error.empty()) {
    return Refuse(call, error);
  }
  for (const auto& [live, value] : changes) live->set(call.context, value);
  return Okay(call);
}

Answer ResetStat(Call& call) {
  return AskLanes(
      call,
      [](Connections& connections) {
        connections.counts().Reset();
        return std::string();
      },
      [](const std::vector<std::string>&, resp::Reply& reply) { reply.Simple("OK"); });
}

Answer Rewrite(Call& call) {
  return Refuse(call,
                "ERR CONFIG REWRITE is not offered by Sluice: the configuration file belongs to "
                "whoever wrote it");
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "GET <pattern> [<pattern> ...]",
      "    Settings whose names match.",
      "SET <name> <value> [<name> <value> ...]",
      "    Changes what can change while running: all of it or nothing.",
      "RESETSTAT",
      "    Sets to zero what INFO and LATENCY count of commands and errors.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

}  // namespace

std::span<const Subcommand> ConfigCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"get", -3, kAdmin, Get, "Settings whose names match."},
      {"help", 2, kAdmin, Help, "Its subcommands."},
      {"resetstat", 2, kAdmin, ResetStat, "Sets what INFO counts of commands to zero."},
      {"rewrite", 2, kAdmin, Rewrite, "Refused: the file belongs to whoever wrote it."},
      {"set", -4, kAdmin, Set, "Changes settings, all or none."},
  };
  return kCommands;
}

}  // namespace sluice::server
