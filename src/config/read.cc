#include "config/read.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>

#include "base/check.h"
#include "config/nearest.h"
#include "config/quantity.h"
#include "config/settings.h"
#include "config/toml.h"

namespace sluice::config {
namespace {

constexpr size_t kNameBytesMax = 64;

Place PlaceOf(const toml::source_region& source) {
  Place place{{}, source.begin.line, source.begin.column};
  if (source.path != nullptr) place.flag = *source.path;
  return place;
}

// Letters, digits and the marks given.
bool IsPlainName(std::string_view name, std::string_view marks) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return isalnum(static_cast<unsigned char>(c)) != 0 ||
                  marks.find(c) != std::string_view::npos;
         });
}

// The entries of a table in the order of the file; toml++ keeps them sorted by name.
std::vector<std::pair<const toml::key*, const toml::node*>> InFileOrder(const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto &x = a.first->source().begin, &y = b.first->source().begin;
    return std::tie(x.line, x.column) < std::tie(y.line, y.column);
  });
  return entries;
}

class SettingReader {
 public:
  explicit SettingReader(Problems& problems) : problems_(problems) {}

  // Reads the table `path` of the file into `to`. `section` is its name in settings tables.
  template <class S>
  void ReadTable(const toml::table& table, const std::string& path, std::string_view section,
                 std::span<const Setting<S>> settings, S& to) {
    for (const auto& [key, node] : InFileOrder(table)) {
      const std::string here = fmt::format("{}.{}", path, key->str());
      const auto setting = std::find_if(settings.begin(), settings.end(),
                                        [&](const auto& one) { return one.name == key->str(); });
      if (setting == settings.end()) {
        std::vector<std::string_view> names;
        for (const auto& one : settings) names.push_back(one.name);
        Unknown(*key, path, section, names);
        continue;
      }
      problems_.Said(here, PlaceOf(node->source()));
      ReadSlot(*setting, here, *node, to);
    }
  }

  // A section with every setting at its default.
  template <class S>
  static S Usual(std::span<const Setting<S>> settings) {
    Problems problems("defaults");
    SettingReader reader(problems);
    S usual;
    if constexpr (std::is_same_v<S, ProjectionConfig>) usual.batch = Usual(BatchSettings());
    for (const Setting<S>& setting : settings) {
      if (setting.usual.empty()) continue;
      const toml::parse_result parsed = toml::parse(fmt::format("v = {}", setting.usual));
      SLUICE_CHECK_MSG(parsed.succeeded(), setting.name);
      reader.ReadSlot(setting, std::string(setting.name), *parsed.table().get("v"), usual);
    }
    SLUICE_CHECK_MSG(problems.none(), "a default that is out of its own bounds");
    return usual;
  }

  bool IsTable(const toml::node& node, const std::string& path) {
    problems_.Said(path, PlaceOf(node.source()));
    if (node.is_table()) return true;
    problems_.At(path, fmt::format("{} must be a table, like [{}]", path, path));
    return false;
  }

  void Unknown(const toml::key& key, const std::string& path, std::string_view section,
               std::span<const std::string_view> names) {
    const Place place = PlaceOf(key.source());
    for (const Later& later : LaterSettings()) {
      if (later.section != section || later.name != key.str()) continue;
      problems_.At(place, fmt::format("{}.{} is not available yet in this version", path,
                                      std::string_view(key.str())));
      return;
    }
    problems_.At(place, fmt::format("unknown setting \"{}\" in [{}]; {}",
                                    std::string_view(key.str()), path, Suggest(key.str(), names)));
  }

 private:
  template <class S>
  void ReadSlot(const Setting<S>& setting, const std::string& path, const toml::node& node, S& to) {
    std::visit(
        [&](auto slot) {
          if constexpr (!std::is_same_v<decltype(slot), std::monostate>) {
            ReadValue(setting, path, node, to.*slot);
          }
        },
        setting.slot);
  }

  // Says what was expected, with the type that was found.
  void Expected(const toml::node& node, const std::string& path, std::string_view what) {
    std::ostringstream type;
    type << node.type();
    problems_.At(PlaceOf(node.source()),
                 fmt::format("{} must be {}, and is of type {}", path, what, type.str()));
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 Address& to) {
    if (!node.is_string()) return Expected(node, path, "a string like \"127.0.0.1:7379\"");
    if (auto address = ParseAddress(node.as_string()->get())) {
      to = *std::move(address);
    } else {
      problems_.At(path, fmt::format("{}: {}", path, address.error().message));
    }
  }

  void ReadValue(const SettingFacts& setting, const std::string& path, const toml::node& node,
                 uint64_t& to) {
    const bool may_be_number = setting.type == Type::kCount || setting.type == Type::kSize;
    if (may_be_number && node.is_integer()) {
      const int64_t number = node.as_integer()->get();
      if (number < 0) return OutOfBounds(setting, path, node, std::to_string(number));
      return KeepNumber(setting, path, node, static_cast<uint64_t>(number), to);
    }
    if (setting.type == Type::kCount) return Expected(node, path, "a whole number, like 8");
    const bool size = setting.type == Type::kSize;
    if (!node.is_string()) {
      return Expected(node, path,
                      size ? "a size, like \"64MiB\"" : "a duration in a string, like \"10m\"");
    }
    const std::string& text = node.as_string()->get();
    const bool may_be_none = setting.type == Type::kMillis && setting.usual.empty();
    if (may_be_none && text == "none") {
      to = 0;
      return;
    }
    const Result<uint64_t> value = size ? ParseSize(text) : ParseDuration(text);
    if (!value) {
      return problems_.At(PlaceOf(node.source()),
                          fmt::format("{}: {}", path, value.error().message));
    }
    if (setting.type == Type::kMillis && *value % 1'000 != 0) {
      return problems_.At(PlaceOf(node.source()),
                          fmt::format("{} is kept in whole milliseconds", path));
    }
    KeepNumber(setting, path, node, setting.type == Type::kMillis ? *value / 1'000 : *value, to);
  }

  void KeepNumber(const SettingFacts& setting, const std::string& path, const toml::node& node,
                  uint64_t value, uint64_t& to) {
    if (value < setting.least || value > setting.most) {
      return OutOfBounds(setting, path, node, FormatBound(setting.type, value));
    }
    to = value;
  }

  void OutOfBounds(const SettingFacts& setting, const std::string& path, const toml::node& node,
                   const std::string& value) {
    problems_.At(PlaceOf(node.source()),
                 fmt::format("{} must be from {} to {}, and is {}", path,
                             FormatBound(setting.type, setting.least),
                             FormatBound(setting.type, setting.most), value));
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node, bool& to) {
    if (!node.is_boolean()) return Expected(node, path, "true or false");
    to = node.as_boolean()->get();
  }

  void ReadValue(const SettingFacts& setting, const std::string& path, const toml::node& node,
                 std::string& to) {
    if (setting.name == "to" && node.is_array()) {
      return problems_.At(PlaceOf(node.source()),
                          fmt::format("{}: a list of servers is not available yet in this version; "
                                      "one server, like \"postgresql://app@127.0.0.1/app\"",
                                      path));
    }
    if (setting.name == "split_at" && node.is_number()) {
      to = fmt::format("{}", *node.value<double>());
      return;
    }
    if (!node.is_string()) {
      const bool limit = setting.name == "limit" || setting.name == "client_limit";
      return Expected(node, path,
                      limit ? "a rate in a string, like \"50000/s\", or \"none\" for no limit (who "
                              "must not write is a user without the category write)"
                            : "a string");
    }
    to = node.as_string()->get();
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 std::vector<std::string>& to) {
    if (!node.is_array()) return Expected(node, path, "an array of strings, like [\"a\", \"b\"]");
    to.clear();
    for (const toml::node& element : *node.as_array()) {
      if (!element.is_string()) return Expected(element, path, "an array of strings");
      to.push_back(element.as_string()->get());
    }
    if (to.empty()) problems_.At(PlaceOf(node.source()), fmt::format("{} must not be empty", path));
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node, Ack& to) {
    if (!node.is_string()) return Expected(node, path, "\"memory\" or \"durable\"");
    const std::string& text = node.as_string()->get();
    if (text == "memory") {
      to = Ack::kMemory;
    } else if (text == "durable") {
      to = Ack::kDurable;
    } else if (text == "replicated") {
      problems_.At(path,
                   fmt::format("{} = \"replicated\" is not available yet in this version", path));
    } else {
      constexpr std::string_view kNames[] = {"memory", "durable"};
      problems_.At(path, fmt::format("{} must be \"memory\" or \"durable\", and is \"{}\"; {}",
                                     path, text, Suggest(text, kNames)));
    }
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 std::vector<RegionConfig>& to) {
    if (!node.is_table()) {
      return Expected(node, path, "a table of regions, like { EU = { match = [\"DE\"] } }");
    }
    for (const auto& [key, region] : InFileOrder(*node.as_table())) {
      const std::string name(key->str());
      const std::string here = fmt::format("{}.{}", path, name);
      if (!IsPlainName(name, "_-")) {
        problems_.At(PlaceOf(key->source()),
                     fmt::format("region name \"{}\" must be of letters, digits, _ and -, at most "
                                 "{} of them",
                                 name, kNameBytesMax));
        continue;
      }
      if (!IsTable(*region, here)) continue;
      RegionConfig read = Usual(RegionSettings());
      read.name = name;
      ReadTable(*region->as_table(), here, "region", RegionSettings(), read);
      to.push_back(std::move(read));
    }
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 BatchConfig& to) {
    if (!node.is_table()) {
      return Expected(node, path, "a table, like { rows = 10000, every = \"50ms\" }");
    }
    ReadTable(*node.as_table(), path, "projection.batch", BatchSettings(), to);
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 LimitByConfig& to) {
    if (node.is_string() && node.as_string()->get() == kNoLimit) return;
    if (!node.is_table() || node.as_table()->empty()) {
      return Expected(node, path,
                      "a table of both, like { segment = \"tenant\", rate = \"2000/s\" }");
    }
    ReadTable(*node.as_table(), path, "limit_by", LimitBySettings(), to);
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 Columns& to) {
    if (!node.is_table()) {
      return Expected(node, path, "a table of columns, like { post_id = \"{post_id}\" }");
    }
    for (const auto& [key, column] : InFileOrder(*node.as_table())) {
      const std::string here = fmt::format("{}.{}", path, std::string_view(key->str()));
      problems_.Said(here, PlaceOf(column->source()));
      if (!column->is_string() || column->as_string()->get().empty()) {
        Expected(*column, here, "what fills the column, like \"{post_id}\" or \"value\"");
      } else if (to.size() == kColumnsMax) {
        return problems_.At(path, fmt::format("{}: more than {} columns", path, kColumnsMax));
      } else {
        to.emplace_back(key->str(), column->as_string()->get());
      }
    }
  }

  // A value of one segment: a string, or a number as people may write it.
  bool ReadSegment(const std::string& path, const toml::node& node, SplitPoint& to) {
    if (node.is_string() && !node.as_string()->get().empty()) {
      to.push_back(node.as_string()->get());
      return true;
    }
    if (node.is_integer() && node.as_integer()->get() >= 0) {
      to.push_back(std::to_string(node.as_integer()->get()));
      return true;
    }
    Expected(node, path, "an array of segment values, like [\"2000\", \"4000\"]");
    return false;
  }

  void ReadValue(const SettingFacts&, const std::string& path, const toml::node& node,
                 std::vector<SplitPoint>& to) {
    if (!node.is_array()) {
      return Expected(node, path, "an array of segment values, like [\"2000\", \"4000\"]");
    }
    for (const toml::node& element : *node.as_array()) {
      SplitPoint point;
      if (element.is_array() && !element.as_array()->empty()) {
        for (const toml::node& part : *element.as_array()) {
          if (!ReadSegment(path, part, point)) return;
        }
      } else if (!ReadSegment(path, element, point)) {
        return;
      }
      to.push_back(std::move(point));
    }
  }

  Problems& problems_;
};

// Reads every [section.NAME] of `table` into a list.
template <class S>
void ReadNamed(const toml::table& table, const std::string& section, std::string_view marks,
               std::span<const Setting<S>> settings, size_t most, SettingReader& reader,
               Problems& problems, std::vector<S>& to) {
  const S usual = SettingReader::Usual(settings);
  for (const auto& [key, node] : InFileOrder(table)) {
    const std::string name(key->str());
    const std::string path = fmt::format("{}.{}", section, name);
    const Place place = PlaceOf(key->source());
    if (to.size() == most) {
      return problems.At(place, fmt::format("more than {} [{}.NAME] sections", most, section));
    }
    if (!IsPlainName(name, marks)) {
      problems.At(place, fmt::format("the name \"{}\" in [{}.NAME] must be of letters, digits and "
                                     "{}, at most {} of them",
                                     name, section, marks, kNameBytesMax));
      continue;
    }
    if (!reader.IsTable(*node, path)) continue;
    problems.Said(path, place);
    S read = usual;
    read.name = name;
    reader.ReadTable(*node->as_table(), path, section, settings, read);
    to.push_back(std::move(read));
  }
}

void ReadSections(const toml::table& root, Problems& problems, Config& config) {
  SettingReader reader(problems);
  constexpr std::string_view kSections[] = {"server",   "log",        "rebalance",
                                            "keyspace", "projection", "user"};
  for (const auto& [key, node] : InFileOrder(root)) {
    const std::string name(key->str());
    if (std::find(std::begin(kSections), std::end(kSections), name) == std::end(kSections)) {
      problems.At(PlaceOf(key->source()),
                  fmt::format("unknown section \"{}\"; {}", name, Suggest(name, kSections)));
      continue;
    }
    if (!reader.IsTable(*node, name)) continue;
    const toml::table& table = *node->as_table();
    if (name == "server") reader.ReadTable(table, name, name, ServerSettings(), config.server);
    if (name == "log") reader.ReadTable(table, name, name, LogSettings(), config.log);
    if (name == "rebalance") {
      reader.ReadTable(table, name, name, RebalanceSettings(), config.rebalance);
    }
    if (name == "keyspace") {
      ReadNamed(table, name, "_-", KeyspaceSettings(), kKeyspacesMax, reader, problems,
                config.keyspaces);
    }
    if (name == "projection") {
      ReadNamed(table, name, "_-", ProjectionSettings(), kProjectionsMax, reader, problems,
                config.projections);
    }
    if (name == "user") {
      ReadNamed(table, name, "_.@-", UserSettings(), kUsersMax, reader, problems, config.users);
    }
  }
}

// Puts `from` over `to`, table by table.
void Merge(toml::table& to, toml::table&& from) {
  for (auto&& [key, node] : from) {
    toml::node* old = to.get(key.str());
    if (old != nullptr && old->is_table() && node.is_table()) {
      Merge(*old->as_table(), std::move(*node.as_table()));
    } else {
      to.insert_or_assign(key, std::move(node));
    }
  }
}

void Override(const std::string& set, Problems& problems, toml::table& root) {
  const std::string flag = "--set " + set;
  const size_t equals = set.find('=');
  const std::string path = set.substr(0, equals);
  const bool named =
      path.find('.') != std::string::npos && path.front() != '.' && path.back() != '.' &&
      path.find("..") == std::string::npos && std::all_of(path.begin(), path.end(), [](char c) {
        return isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
      });
  if (equals == std::string::npos || !named) {
    return problems.At(Place{flag}, "expected section.key=value, like --set server.lanes=2");
  }
  const std::string value = set.substr(equals + 1);
  // A line break in the value would let it say other settings too.
  if (value.find_first_of("\r\n") == std::string::npos) {
    toml::parse_result parsed = toml::parse(path + " = " + value, flag);
    if (parsed.succeeded()) return Merge(root, std::move(parsed).table());
  }
  toml::parse_result parsed = toml::parse(path + " = " + QuoteToml(value), flag);
  if (parsed.succeeded()) return Merge(root, std::move(parsed).table());
  problems.At(Place{flag}, parsed.error().description());
}

void OverridePort(const std::optional<std::string>& port, std::string_view flag, Problems& problems,
                  Address& to) {
  if (!port) return;
  const auto address = ParseAddress("localhost:" + *port);
  if (address) {
    to.port = address->port;
  } else {
    problems.At(Place{fmt::format("{} {}", flag, *port)}, "a port is a number from 0 to 65535");
  }
}

}  // namespace

Config Read(std::string_view text, const Overrides& overrides, Problems& problems) {
  Config config;
  config.server = SettingReader::Usual(ServerSettings());
  config.log = SettingReader::Usual(LogSettings());
  config.rebalance = SettingReader::Usual(RebalanceSettings());
  toml::parse_result parsed = toml::parse(text);
  if (!parsed.succeeded()) {
    problems.At(PlaceOf(parsed.error().source()), parsed.error().description());
    return config;
  }
  toml::table root = std::move(parsed).table();
  for (const std::string& set : overrides.set) Override(set, problems, root);
  ReadSections(root, problems, config);
  OverridePort(overrides.port, "--port", problems, config.server.listen);
  OverridePort(overrides.http_port, "--http-port", problems, config.server.http);
  return config;
}

Result<Address> ParseAddress(std::string_view text) {
  const auto invalid = [&] {
    return Fail(Code::kInvalid, fmt::format("\"{}\" is not an address like \"127.0.0.1:7379\" or "
                                            "\"[::1]:7379\"",
                                            text));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid();
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool plain = !host.empty() && std::all_of(host.begin(), host.end(), [&](char c) {
    return isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_' ||
           (bracketed && c == ':');
  });
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!plain || error != std::errc{} || end != digits.data() + digits.size()) return invalid();
  return Address{std::string(host), port};
}

std::string QuoteToml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace sluice::config
