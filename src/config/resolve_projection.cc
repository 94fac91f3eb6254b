#include "config/resolve_projection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "config/nearest.h"
#include "config/quantity.h"

namespace sluice::config {
namespace {

constexpr uint64_t kRateMost = 1'000'000'000;  // rows a second
constexpr std::string_view kFileScheme = "file:";
constexpr std::string_view kWholeKey = "key";

// One projection: what its settings mean together.
class ProjectionResolver {
 public:
  ProjectionResolver(ProjectionConfig& projection, const std::vector<KeyspaceConfig>& keyspaces,
                     Problems& problems)
      : projection_(projection),
        keyspaces_(keyspaces),
        problems_(problems),
        path_("projection." + projection.name) {}

  void Resolve() {
    ResolveFrom();
    if (!ResolveTo()) return;
    Choose("mode", projection_.mode, {"set", "add"}, projection_.sets);
    Choose("adopt", projection_.adopt, {"refuse", "overwrite", "add", "seed"}, projection_.adopts);
    Choose("on_expire", projection_.on_expire, {"keep", "delete"}, projection_.expires);
    Choose("on_full", projection_.on_full, {"stop", "block"}, projection_.when_full);
    ResolveRate();
    if (projection_.sink == ProjectionSink::kFiles) {
      for (const std::string_view setting :
           {"table", "columns", "key", "mode", "adopt", "on_expire", "connections", "create"}) {
        const bool usual = setting == "create" && !projection_.create;
        if (WasSaid(setting) && !usual) {
          Problem(setting, "only a table has it, and `to` is an archive");
        }
      }
      return;
    }
    if (ResolveTable() && ResolveColumns() && ResolveKey()) CheckAdding();
  }

 private:
  std::string Path(std::string_view setting) const { return fmt::format("{}.{}", path_, setting); }
  bool WasSaid(std::string_view setting) const { return problems_.WasSaid(Path(setting)); }
  void Problem(std::string_view setting, std::string_view what) {
    problems_.At(Path(setting), fmt::format("{}: {}", Path(setting), what));
  }
  bool Needs(std::string_view setting, std::string_view like) {
    if (WasSaid(setting)) return true;
    problems_.At(path_, fmt::format("[{}] needs {}, like {} = {}", path_, setting, setting, like));
    return false;
  }

  // Enumerators stand in the order of their names.
  template <class Enum>
  void Choose(std::string_view setting, const std::string& text,
              std::initializer_list<std::string_view> names, Enum& to) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found != names.end()) {
      to = static_cast<Enum>(found - names.begin());
      return;
    }
    Problem(setting, fmt::format("there is no \"{}\"; {}", text,
                                 Suggest(text, std::vector<std::string_view>(names))));
  }

  void ResolveFrom() {
    if (!Needs("from", "\"likes\"")) return;
    std::vector<std::string_view> names = {kDefaultName};
    for (const KeyspaceConfig& keyspace : keyspaces_) {
      if (keyspace.name == projection_.from) keyspace_ = &keyspace;
      if (keyspace.name != kDefaultName) names.push_back(keyspace.name);
    }
    if (std::find(names.begin(), names.end(), projection_.from) != names.end()) return;
    Problem("from", fmt::format("there is no keyspace \"{}\"; {}", projection_.from,
                                Suggest(projection_.from, names)));
    unknown_ = true;
  }

  bool ResolveTo() {
    if (!Needs("to", "\"postgresql://app@127.0.0.1/app\"")) return false;
    const std::string& to = projection_.to;
    if (to.empty()) {  // or of another type, which has been said
      if (problems_.none()) Problem("to", "must not be empty");
      return false;
    }
    if (to.starts_with(kFileScheme)) {
      projection_.sink = ProjectionSink::kFiles;
      projection_.dir = to.substr(kFileScheme.size());
      while (projection_.dir.size() > 1 && projection_.dir.back() == '/') {
        projection_.dir.pop_back();
      }
      if (projection_.dir.empty()) Problem("to", "needs a directory, like \"file:/var/archive\"");
      return !projection_.dir.empty();
    }
    if (to.starts_with("postgresql://") || to.starts_with("postgres://")) return true;
    if (to.starts_with("sluice://")) {
      Problem("to", "another Sluice as a sink is not available yet in this version");
    } else if (to.find("://") == std::string::npos && to.find('{') != std::string::npos) {
      Problem("to", "read models are not available yet in this version");
    } else {
      Problem("to", "must begin with postgresql:// or file:");
    }
    return false;
  }

  void ResolveRate() {
    constexpr std::string_view kUnit = " rows/s";
    const std::string_view text = projection_.rate;
    if (text.empty()) return;
    const char* begin = text.data();
    const auto [end, error] =
        std::from_chars(begin, begin + text.size(), projection_.rows_per_second);
    const std::string_view unit = text.substr(end - begin);
    if (error != std::errc{} || unit != kUnit || projection_.rows_per_second == 0 ||
        projection_.rows_per_second > kRateMost) {
      Problem("rate", fmt::format("\"{}\" is not a rate like \"5000 rows/s\"", text));
    }
  }

  // What `{segment}` names, a type behind it or not; empty for anything else.
  static std::string_view SegmentIn(std::string_view filled) {
    filled = filled.substr(0, filled.find("::"));
    const bool is_segment = filled.size() > 2 && filled.front() == '{' && filled.back() == '}';
    return is_segment ? filled.substr(1, filled.size() - 2) : std::string_view();
  }

  bool ResolveTable() {
    if (!Needs("table", "\"post_likes\"")) return false;
    if (projection_.table.empty() && problems_.none()) Problem("table", "must not be empty");
    return !projection_.table.empty();
  }

  bool ResolveColumns() {
    if (!Needs("columns", "{ post_id = \"{post_id}\", likes = \"value\" }")) return false;
    if (projection_.columns.empty() && problems_.none()) Problem("columns", "there is none");
    for (const auto& [column, filled] : projection_.columns) {
      const std::string_view name = SegmentIn(filled);
      if (name.empty() || unknown_) continue;
      std::vector<std::string_view> names = Segments();
      if (name == kWholeKey || std::find(names.begin(), names.end(), name) != names.end()) continue;
      names.push_back(kWholeKey);
      Problem("columns." + column, fmt::format("keyspace {} has no segment \"{}\"; {}",
                                               projection_.from, name, Suggest(name, names)));
      return false;
    }
    return !projection_.columns.empty();
  }

  std::vector<std::string_view> Segments() const {
    if (keyspace_ == nullptr) return {};
    return {keyspace_->pieces.segments.begin(), keyspace_->pieces.segments.end()};
  }

  // The segments that the key's columns are filled with; none: a mistake was found.
  std::optional<std::vector<std::string_view>> HeldSegments() {
    std::vector<std::string_view> names, held;
    for (const auto& [column, filled] : projection_.columns) names.push_back(column);
    for (const std::string& column : projection_.key) {
      const auto found = std::find(names.begin(), names.end(), column);
      if (found == names.end()) {
        Problem("key",
                fmt::format("there is no column \"{}\"; {}", column, Suggest(column, names)));
        return std::nullopt;
      }
      const std::string& filled =
          projection_.columns[static_cast<size_t>(found - names.begin())].second;
      held.push_back(SegmentIn(filled));
      if (!held.back().empty()) continue;
      Problem("key", fmt::format("column \"{}\" is filled with \"{}\"; a row is found by segments "
                                 "of its key alone",
                                 column, filled));
      return std::nullopt;
    }
    return held;
  }

  // Each key must have a row of its own.
  bool ResolveKey() {
    if (!Needs("key", "[\"post_id\"]")) return false;
    const auto held = HeldSegments();
    if (!held) return false;
    const auto holds = [&](std::string_view segment) {
      return std::find(held->begin(), held->end(), segment) != held->end();
    };
    if (unknown_ || holds(kWholeKey)) return true;
    const std::vector<std::string_view> segments = Segments();
    if (segments.empty()) {
      Problem("key", "keys of this keyspace have no segments: use a column that is \"{key}\"");
      return false;
    }
    for (const std::string_view segment : segments) {
      if (holds(segment)) continue;
      Problem("key", fmt::format("two keys that differ in {{{0}}} would share a row: add a column "
                                 "that is \"{{{0}}}\"",
                                 segment));
      return false;
    }
    return true;
  }

  void CheckAdding() {
    if (projection_.sets != ProjectionMode::kAdd) {
      if (projection_.adopts == ProjectionAdopt::kAdd) {
        Problem("adopt", "adding to rows that are there takes mode = \"add\"");
      }
      return;
    }
    if (projection_.adopts == ProjectionAdopt::kSeed) {
      Problem("adopt", "\"seed\" takes mode = \"set\"");
    }
    if (projection_.expires == ProjectionOnExpire::kDelete) {
      Problem("on_expire",
              "rows that get deltas are never deleted: with mode = \"add\" it is keep");
    }
    if (keyspace_ != nullptr && keyspace_->ttl_ms != 0) {
      Problem("mode",
              fmt::format("keys of {} end (ttl), and a sum of deltas does not know of that: "
                          "use mode = \"set\"",
                          projection_.from));
    }
  }

  ProjectionConfig& projection_;
  const std::vector<KeyspaceConfig>& keyspaces_;
  Problems& problems_;
  const std::string path_;
  const KeyspaceConfig* keyspace_ = nullptr;  // none: `default`, not configured, or unknown
  bool unknown_ = false;
};

}  // namespace

void ResolveProjections(Config& config, Problems& problems) {
  std::map<std::string, std::string> seeds;                           // of a keyspace
  std::map<std::pair<std::string, std::string>, std::string> owners;  // of a table or directory
  for (ProjectionConfig& projection : config.projections) {
    ProjectionResolver(projection, config.keyspaces, problems).Resolve();
    if (projection.adopts == ProjectionAdopt::kSeed && projection.sink != ProjectionSink::kFiles) {
      const auto [seed, is_first] = seeds.emplace(projection.from, projection.name);
      const std::string path = fmt::format("projection.{}.adopt", projection.name);
      if (!is_first) {
        problems.At(path, fmt::format("{}: {} is seeded by projection {} already", path,
                                      projection.from, seed->second));
      }
    }
    const bool files = projection.sink == ProjectionSink::kFiles;
    const auto [owner, first] = owners.emplace(
        std::pair(files ? projection.dir : projection.to, projection.table), projection.name);
    if (first || projection.to.empty()) continue;
    const std::string path =
        fmt::format("projection.{}.{}", projection.name, files ? "to" : "table");
    problems.At(path, fmt::format("{}: projection {} writes there too", path, owner->second));
  }
}

void ResolveKeep(LogConfig& log, Problems& problems) {
  constexpr uint64_t kPercentMost = 90;
  const std::string_view text = log.keep;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), log.keep_percent);
  if (error == std::errc{} && text.substr(end - text.data()) == "%") {
    if (log.keep_percent >= 1 && log.keep_percent <= kPercentMost) return;
    return problems.At(
        "log.keep",
        fmt::format("log.keep must be from 1% to {}%, or a size, and is {}", kPercentMost, text));
  }
  log.keep_percent = 0;
  const auto size = ParseSize(text);
  if (!size.has_value()) {
    return problems.At("log.keep",
                       fmt::format("log.keep: \"{}\" is neither a share like \"25%\" nor "
                                   "a size like \"64GiB\"",
                                   text));
  }
  log.keep_bytes = *size;
  if (*size < 2 * log.segment_bytes) {
    problems.At("log.keep", fmt::format("log.keep must be at least two segments ({}), and is {}",
                                        FormatSize(2 * log.segment_bytes), text));
  }
}

}  // namespace sluice::config
