#include "config/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "config/nearest.h"
#include "config/resolve_limits.h"
#include "config/resolve_projection.h"

namespace sluice::config {
namespace {

constexpr size_t kPatternBytesMax = 512;  // of a user's key pattern; bounds the work of a match
constexpr std::string_view kAlways = "always";
constexpr size_t kPasswordDigits = 64;  // SHA-256 in hex

// One keyspace: what its settings mean together.
class KeyspaceResolver {
 public:
  KeyspaceResolver(KeyspaceConfig& keyspace, Problems& problems)
      : keyspace_(keyspace), problems_(problems), path_("keyspace." + keyspace.name) {}

  void Resolve() {
    if (keyspace_.unknown_region == "reject") keyspace_.unknown_region.clear();
    if (keyspace_.name == kDefaultName) return ResolveDefault();
    const bool known = ResolveKey() && ResolveSpec();
    ResolveRegions();
    if (known) ResolveShards();
  }

 private:
  std::string Path(std::string_view setting) const { return fmt::format("{}.{}", path_, setting); }
  bool WasSaid(std::string_view setting) const { return problems_.WasSaid(Path(setting)); }
  void Problem(std::string_view setting, std::string_view what) {
    problems_.At(Path(setting), fmt::format("{}: {}", Path(setting), what));
  }
  void Refuse(std::string_view setting, std::string_view why) {
    if (WasSaid(setting)) Problem(setting, why);
  }

  void ResolveDefault() {
    for (const std::string_view setting : {"key", "shard"}) {
      Refuse(setting, "keyspace default takes every key that no template matches, and hashes it");
    }
    for (const std::string_view setting : {"split_points", "regions", "unknown_region"}) {
      Refuse(setting, "keyspace default is hashed");
    }
    if (!WasSaid("shards")) keyspace_.shards = kHashShardsUsual;
  }

  bool ResolveKey() {
    if (!WasSaid("key")) {
      problems_.At(
          path_, fmt::format("[{}] needs a key, like key = \"{}:{{id}}\"", path_, keyspace_.name));
      return false;
    }
    auto pieces = ParseTemplate(keyspace_.key);
    if (!pieces) {
      Problem("key", pieces.error().message);
      return false;
    }
    keyspace_.pieces = *std::move(pieces);
    if (CanBeginWith(keyspace_.pieces, kReservedPrefix)) {
      Problem("key", fmt::format("template \"{}\" can match keys that begin with `{}`; those are "
                                 "reserved",
                                 keyspace_.key, kReservedPrefix));
      return false;
    }
    return true;
  }

  bool ResolveSpec() {
    if (!WasSaid("shard")) {
      keyspace_.shard = fmt::format("hash({})", fmt::join(keyspace_.pieces.segments, ", "));
    }
    auto spec = ParseShardSpec(keyspace_.shard);
    if (!spec) {
      Problem("shard", spec.error().message);
      return false;
    }
    keyspace_.spec = *std::move(spec);
    const std::vector<std::string_view> names(keyspace_.pieces.segments.begin(),
                                              keyspace_.pieces.segments.end());
    bool known = true;
    for (const SpecPart& part : keyspace_.spec.parts) {
      for (const std::string& segment : part.segments) {
        if (std::find(names.begin(), names.end(), segment) != names.end()) continue;
        Problem("shard", fmt::format("key \"{}\" has no segment \"{}\"; {}", keyspace_.key, segment,
                                     Suggest(segment, names)));
        known = false;
      }
    }
    if (keyspace_.spec.IsGeo() && keyspace_.regions.empty()) {
      problems_.At(Path("shard"), fmt::format("{} = \"{}\" needs {}", Path("shard"),
                                              keyspace_.shard, Path("regions")));
    }
    if (!keyspace_.spec.IsGeo()) {
      Refuse("regions", "only geo(…) in `shard` makes use of it");
      Refuse("unknown_region", "only geo(…) in `shard` makes use of it");
    }
    return known;
  }

  void ResolveRegions() {
    if (keyspace_.regions.size() > kRegionsMax) {
      Problem("regions", fmt::format("more than {} regions", kRegionsMax));
    }
    std::map<std::string, std::string, std::less<>> owner;  // of a value
    std::vector<std::string_view> names;
    for (RegionConfig& region : keyspace_.regions) {
      const std::string path = Path("regions." + region.name);
      names.push_back(region.name);
      if (region.name == "reject") {
        problems_.At(path, fmt::format("{}: no region can be named reject", path));
      }
      if (region.match.empty()) region.match = {region.name};
      for (const std::string& value : region.match) {
        const auto [other, first] = owner.emplace(value, region.name);
        if (value.empty()) {
          problems_.At(path + ".match", fmt::format("{}.match: a segment is never empty", path));
        } else if (!first) {
          problems_.At(path + ".match", fmt::format("{}.match: \"{}\" is matched by region {} too",
                                                    path, value, other->second));
        }
      }
    }
    const std::string& unknown = keyspace_.unknown_region;
    if (unknown.empty() || names.empty()) return;
    if (std::find(names.begin(), names.end(), unknown) != names.end()) return;
    names.push_back("reject");
    Problem("unknown_region",
            fmt::format("there is no region \"{}\"; {}", unknown, Suggest(unknown, names)));
  }

  void ResolveShards() {
    const bool range = keyspace_.spec.IsRange();
    const size_t width = keyspace_.spec.parts.back().segments.size();
    if (!keyspace_.spec.IsGeo()) {
      ResolveCuts(path_, range, width, keyspace_.shards, keyspace_.split_points);
      return;
    }
    Refuse("shards", "with geo(…) each region says its own, like { EU = { shards = 3 } }");
    Refuse("split_points", "with geo(…) each region says its own");
    keyspace_.shards = 0;
    for (RegionConfig& region : keyspace_.regions) {
      ResolveCuts(Path("regions." + region.name), range, width, region.shards, region.split_points);
      keyspace_.shards += region.shards;
    }
    if (keyspace_.shards > kShardsMax) {
      Problem("regions", fmt::format("its regions have {} shards, more than {}", keyspace_.shards,
                                     kShardsMax));
    }
  }

  // Shards and split points of a keyspace, or of one region.
  void ResolveCuts(const std::string& path, bool range, size_t width, uint64_t& shards,
                   const std::vector<SplitPoint>& points) {
    const std::string points_path = path + ".split_points";
    const bool counted = problems_.WasSaid(path + ".shards");
    if (!range) {
      if (!points.empty()) {
        problems_.At(points_path, fmt::format("{}: hash shards are cut evenly; only range(…) takes "
                                              "split points",
                                              points_path));
      }
      if (!counted) shards = keyspace_.spec.IsGeo() ? 1 : kHashShardsUsual;
      return;
    }
    if (!counted) shards = points.size() + 1;
    if (shards > kShardsMax) {
      problems_.At(points_path, fmt::format("{}: more than {} shards", points_path, kShardsMax));
    }
    // A count out of its bounds has been reported and is still 0.
    if (shards > 0 && points.size() + 1 != shards) {
      problems_.At(path + ".shards", fmt::format("{}.shards = {} needs {} split_points, and has {}",
                                                 path, shards, shards - 1, points.size()));
    }
    for (size_t i = 0; i < points.size(); ++i) {
      if (points[i].size() > width) {
        problems_.At(points_path, fmt::format("{}: a point has {} values, and range(…) {} segments",
                                              points_path, points[i].size(), width));
      }
      if (i > 0 && CompareSplitPoints(points[i - 1], points[i]) >= 0) {
        problems_.At(points_path, fmt::format("{}: \"{}\" does not come after \"{}\"", points_path,
                                              fmt::join(points[i], "\", \""),
                                              fmt::join(points[i - 1], "\", \"")));
      }
    }
  }

  KeyspaceConfig& keyspace_;
  Problems& problems_;
  const std::string path_;
};

void CheckOverlaps(const std::vector<KeyspaceConfig>& keyspaces, Problems& problems) {
  std::vector<const KeyspaceConfig*> templates;
  for (const KeyspaceConfig& keyspace : keyspaces) {
    if (!keyspace.pieces.segments.empty()) templates.push_back(&keyspace);
  }
  for (size_t i = 0; i < templates.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const KeyspaceConfig &earlier = *templates[j], &later = *templates[i];
      const auto key = CommonKey(earlier.pieces, later.pieces);
      if (!key) continue;
      const std::string path = fmt::format("keyspace.{}.key", later.name);
      problems.At(path, fmt::format("{} = \"{}\" and keyspace.{}.key = \"{}\" can match one key, "
                                    "for example {}",
                                    path, later.key, earlier.name, earlier.key, *key));
    }
  }
}

void ResolveUser(UserConfig& user, Problems& problems) {
  const std::string path = "user." + user.name;
  const auto problem = [&](std::string_view setting, std::string_view what) {
    const std::string at = fmt::format("{}.{}", path, setting);
    problems.At(at, fmt::format("{}: {}", at, what));
  };
  std::string& hash = user.password_sha256;
  if (!problems.WasSaid(path + ".password_sha256")) {
    if (user.name != kDefaultName) {
      problem("password_sha256", "is needed; only user default may be without a password");
    }
  } else if (hash.size() != kPasswordDigits ||
             hash.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    problem("password_sha256", "must be 64 hex digits, as `printf %s PASSWORD | sha256sum` prints");
  }
  std::transform(hash.begin(), hash.end(), hash.begin(),
                 [](unsigned char c) { return static_cast<char>(tolower(c)); });
  constexpr std::string_view kCategories[] = {"read", "write", "admin"};
  for (const std::string& command : user.commands) {
    if (std::find(std::begin(kCategories), std::end(kCategories), command) !=
        std::end(kCategories)) {
      continue;
    }
    problem("commands",
            fmt::format("there is no category \"{}\"; {}", command, Suggest(command, kCategories)));
  }
  for (const std::string& pattern : user.keys) {
    if (pattern.size() <= kPatternBytesMax) continue;
    problem("keys", fmt::format("a pattern has at most {} bytes", kPatternBytesMax));
  }
}

void CheckServer(const Config& config, Problems& problems) {
  const ServerConfig& server = config.server;
  const bool guarded =
      std::any_of(config.users.begin(), config.users.end(),
                  [](const UserConfig& user) { return !user.password_sha256.empty(); });
  const auto check = [&](std::string_view path, const Address& address) {
    if (guarded || address.IsLoopback()) return;
    problems.At(path, fmt::format("{} = \"{}\" can be reached from other machines, and no user has "
                                  "a password: add [user.default] with password_sha256, or listen "
                                  "on 127.0.0.1",
                                  path, address.Text()));
  };
  check("server.listen", server.listen);
  check("server.http", server.http);
  if (server.listen == server.http && server.http.port != 0) {
    problems.At("server.http",
                fmt::format("server.http and server.listen are both \"{}\"", server.http.Text()));
  }
  if (config.log.group_bytes > config.log.segment_bytes) {
    problems.At("log.group_bytes", "log.group_bytes must not be greater than log.segment");
  }
}

void ResolveRebalance(RebalanceConfig& rebalance, Problems& problems) {
  constexpr std::string_view kModes[] = {"off", "preview", "on"};  // as in BalanceMode
  const auto* const mode = std::find(std::begin(kModes), std::end(kModes), rebalance.mode);
  if (mode != std::end(kModes)) {
    rebalance.acts = static_cast<BalanceMode>(mode - kModes);
  } else {
    problems.At("rebalance.mode", fmt::format("rebalance.mode: there is no \"{}\"; {}",
                                              rebalance.mode, Suggest(rebalance.mode, kModes)));
  }
  rebalance.within.reset();
  if (rebalance.window == kAlways) return;
  if (const auto window = ParseDayWindow(rebalance.window)) {
    rebalance.within = *window;
  } else {
    problems.At("rebalance.window",
                fmt::format("rebalance.window: {}, nor \"{}\"", window.error().message, kAlways));
  }
}

}  // namespace

void Resolve(Config& config, Problems& problems) {
  CheckServer(config, problems);
  ResolveRebalance(config.rebalance, problems);
  for (UserConfig& user : config.users) ResolveUser(user, problems);
  for (KeyspaceConfig& keyspace : config.keyspaces) {
    KeyspaceResolver(keyspace, problems).Resolve();
    ResolveLimits(keyspace, problems);
  }
  CheckOverlaps(config.keyspaces, problems);
  ResolveKeep(config.log, problems);
  ResolveProjections(config, problems);
}

}  // namespace sluice::config
