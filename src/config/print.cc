#include "config/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "config/read.h"
#include "config/settings.h"

namespace sluice::config {
namespace {

std::string Quoted(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + QuoteToml(text);
  return "[" + list + "]";
}

template <class S>
std::string Assignments(std::span<const Setting<S>> settings, const S& from,
                        std::string_view separator);

// The value as TOML; empty when there is nothing to say.
std::string Value(const SettingFacts&, const Address& address) {
  return QuoteToml(address.Text());
}
std::string Value(const SettingFacts& setting, uint64_t number) {
  if (number == 0 && setting.least > 0) return setting.type == Type::kMillis ? "\"none\"" : "";
  const std::string text = FormatBound(setting.type, number);
  return setting.type == Type::kCount ? text : QuoteToml(text);
}
std::string Value(const SettingFacts&, bool flag) {
  return flag ? "true" : "false";
}
std::string Value(const SettingFacts&, const std::string& text) {
  return text.empty() ? std::string() : QuoteToml(text);
}
std::string Value(const SettingFacts&, const std::vector<std::string>& texts) {
  return texts.empty() ? std::string() : Quoted(texts);
}
std::string Value(const SettingFacts&, Ack ack) {
  return ack == Ack::kMemory ? "\"memory\"" : "\"durable\"";
}
std::string Value(const SettingFacts&, const std::vector<SplitPoint>& points) {
  std::string list;
  for (const SplitPoint& point : points) {
    list +=
        (list.empty() ? "" : ", ") + (point.size() == 1 ? QuoteToml(point.front()) : Quoted(point));
  }
  return list.empty() ? list : "[" + list + "]";
}
std::string Value(const SettingFacts&, const BatchConfig& batch) {
  return "{ " + Assignments(BatchSettings(), batch, ", ") + " }";
}
std::string Value(const SettingFacts&, const LimitByConfig& by) {
  if (by.segment.empty()) return QuoteToml(kNoLimit);
  return "{ " + Assignments(LimitBySettings(), by, ", ") + " }";
}
std::string Value(const SettingFacts&, const Columns& columns) {
  std::string list;
  for (const auto& [column, from] : columns) {
    list += fmt::format("{}{} = {}", list.empty() ? "" : ", ", QuoteToml(column), QuoteToml(from));
  }
  return list.empty() ? list : "{ " + list + " }";
}
std::string Value(const SettingFacts&, const std::vector<RegionConfig>& regions) {
  std::string list;
  for (const RegionConfig& region : regions) {
    list += fmt::format("{}{} = {{ {} }}", list.empty() ? "" : ", ", region.name,
                        Assignments(RegionSettings(), region, ", "));
  }
  return list.empty() ? list : "{ " + list + " }";
}

template <class S>
std::string ValueIn(const Setting<S>& setting, const S& from) {
  return std::visit(
      [&](auto slot) {
        if constexpr (std::is_same_v<decltype(slot), std::monostate>) {
          return std::string();
        } else {
          return Value(setting, from.*slot);
        }
      },
      setting.slot);
}

template <class S>
std::string Assignments(std::span<const Setting<S>> settings, const S& from,
                        std::string_view separator) {
  std::string lines;
  for (const Setting<S>& setting : settings) {
    const std::string value = ValueIn(setting, from);
    if (value.empty()) continue;
    if (!lines.empty()) lines += separator;
    lines += fmt::format("{} = {}", setting.name, value);
  }
  return lines;
}

// "token: region of country (2 bytes), hash of user_id (8 bytes); 5 shards to begin with"
std::string Explain(const KeyspaceConfig& keyspace) {
  std::string parts;
  for (const SpecPart& part : keyspace.spec.parts) {
    const std::string over = fmt::format("{}", fmt::join(part.segments, ", "));
    if (!parts.empty()) parts += ", then ";
    switch (part.kind) {
      case SpecPart::Kind::kHash:
        parts += fmt::format("hash of {} (8 bytes)", over);
        break;
      case SpecPart::Kind::kRange:
        parts += fmt::format("{} in order", over);
        break;
      case SpecPart::Kind::kGeo:
        parts += fmt::format("region of {} (2 bytes)", over);
        break;
    }
  }
  if (parts.empty()) parts = "hash of the key or its {tag} (8 bytes)";
  return fmt::format("# token: {}; {} shard{} to begin with", parts, keyspace.shards,
                     keyspace.shards == 1 ? "" : "s");
}

// The settings of a keyspace that a reader of the file accepts: geo has its shards per region.
KeyspaceConfig AsWritten(KeyspaceConfig keyspace) {
  if (keyspace.spec.IsGeo()) {
    keyspace.shards = 0;
    if (keyspace.unknown_region.empty()) keyspace.unknown_region = "reject";
  }
  return keyspace;
}

// Files have no table to make and no connections.
ProjectionConfig AsWritten(ProjectionConfig projection) {
  if (projection.sink != ProjectionSink::kFiles) return projection;
  projection.connections = 0;
  projection.mode.clear();
  projection.adopt.clear();
  projection.on_expire.clear();
  return projection;
}

// user:password@host, and …?password=…&sslpassword=…
void HidePasswords(std::string* url) {
  constexpr std::string_view kParameter = "password=", kHidden = "...";
  const size_t scheme = url->find("://");
  if (scheme == std::string::npos) return;
  for (size_t at = url->find('?'); (at = url->find(kParameter, at)) != std::string::npos;) {
    at += kParameter.size();
    url->replace(at, std::min(url->find('&', at), url->size()) - at, kHidden);
  }
  const size_t colon = url->find(':', scheme + 3), host = url->rfind('@');
  if (host != std::string::npos && colon < host) url->replace(colon + 1, host - colon - 1, kHidden);
}

}  // namespace

std::string ValueOf(const Setting<ServerConfig>& setting, const ServerConfig& from) {
  return ValueIn(setting, from);
}
std::string ValueOf(const Setting<LogConfig>& setting, const LogConfig& from) {
  return ValueIn(setting, from);
}
std::string ValueOf(const Setting<RebalanceConfig>& setting, const RebalanceConfig& from) {
  return ValueIn(setting, from);
}
std::string ValueOf(const Setting<KeyspaceConfig>& setting, const KeyspaceConfig& from) {
  return ValueIn(setting, AsWritten(from));
}

std::string ValueOf(const Setting<ProjectionConfig>& setting, const ProjectionConfig& from) {
  ProjectionConfig shown = AsWritten(from);
  HidePasswords(&shown.to);
  return ValueIn(setting, shown);
}

std::string ToToml(const Config& config) {
  std::string text = fmt::format("[server]\n{}\n\n[log]\n{}\n\n[rebalance]\n{}\n",
                                 Assignments(ServerSettings(), config.server, "\n"),
                                 Assignments(LogSettings(), config.log, "\n"),
                                 Assignments(RebalanceSettings(), config.rebalance, "\n"));
  for (const KeyspaceConfig& keyspace : config.keyspaces) {
    text += fmt::format("\n[keyspace.{}]\n{}\n{}\n", keyspace.name, Explain(keyspace),
                        Assignments(KeyspaceSettings(), AsWritten(keyspace), "\n"));
  }
  for (const ProjectionConfig& projection : config.projections) {
    text += fmt::format("\n[projection.{}]\n{}\n", projection.name,
                        Assignments(ProjectionSettings(), AsWritten(projection), "\n"));
  }
  for (const UserConfig& user : config.users) {
    // Dots and @ need quotes in a TOML key.
    text += fmt::format("\n[user.{}]\n{}\n", QuoteToml(user.name),
                        Assignments(UserSettings(), user, "\n"));
  }
  return text;
}

}  // namespace sluice::config
