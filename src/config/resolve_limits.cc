#include "config/resolve_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/nearest.h"

namespace sluice::config {
namespace {

constexpr double kSplitShareLeast = 0.1;

class LimitResolver {
 public:
  LimitResolver(KeyspaceConfig& keyspace, Problems& problems)
      : keyspace_(keyspace), problems_(problems), path_("keyspace." + keyspace.name) {}

  void Resolve() {
    if (keyspace_.hot_key == "split") {
      Problem("hot_key", "\"split\" is not available yet in this version");
    } else {
      Choose("hot_key", keyspace_.hot_key, {"fold", "off"}, keyspace_.hot_keys);
    }
    Choose("priority", keyspace_.priority, {"critical", "normal", "low"}, keyspace_.priority_class);
    Choose("limit_mode", keyspace_.limit_mode, {"enforce", "observe"}, keyspace_.limit_acts);
    Read("limit", keyspace_.limit, keyspace_.rate);
    Read("client_limit", keyspace_.client_limit, keyspace_.client_rate);
    ResolveSegment();
    ResolveCapacity();
  }

 private:
  void Problem(std::string_view setting, std::string_view what) {
    const std::string path = fmt::format("{}.{}", path_, setting);
    problems_.At(path, fmt::format("{}: {}", path, what));
  }

  // The words stand in the order of the enum.
  template <class Enum>
  void Choose(std::string_view setting, const std::string& text,
              std::initializer_list<std::string_view> words, Enum& to) {
    const auto* const found = std::find(words.begin(), words.end(), text);
    if (found != words.end()) {
      to = static_cast<Enum>(found - words.begin());
      return;
    }
    Problem(setting, fmt::format("there is no \"{}\"; {}", text,
                                 Suggest(text, std::vector<std::string_view>(words))));
  }

  void Read(std::string_view setting, const std::string& text, Rate& to) {
    to = {};
    if (text == kNoLimit) return;
    if (const auto rate = ParseRate(text)) {
      to = *rate;
    } else {
      Problem(setting, rate.error().message);
    }
  }

  void ResolveSegment() {
    LimitByConfig& by = keyspace_.limit_by;
    if (by == LimitByConfig{}) return;
    const auto& segments = keyspace_.pieces.segments;
    const std::string path = path_ + ".limit_by";
    if (!problems_.WasSaid(path + ".segment") || !problems_.WasSaid(path + ".rate")) {
      return Problem("limit_by", "needs both, like { segment = \"tenant\", rate = \"2000/s\" }");
    }
    Read("limit_by.rate", by.rate, by.meaning);
    const auto found = std::find(segments.begin(), segments.end(), by.segment);
    if (found != segments.end()) {
      by.index = static_cast<uint16_t>(found - segments.begin());
    } else if (keyspace_.name == kDefaultName) {
      Problem("limit_by", "keyspace default has no template, and no segments");
    } else if (!segments.empty()) {
      const std::vector<std::string_view> names(segments.begin(), segments.end());
      Problem("limit_by.segment", fmt::format("key \"{}\" has no segment \"{}\"; {}", keyspace_.key,
                                              by.segment, Suggest(by.segment, names)));
    }
  }

  void ResolveCapacity() {
    Rate capacity;
    if (keyspace_.capacity.find("burst") != std::string::npos) {
      return Problem("capacity",
                     fmt::format("\"{}\": what a shard carries has no burst", keyspace_.capacity));
    }
    if (IsZero(keyspace_.capacity)) {
      return Problem("capacity", fmt::format("\"{}\": a shard that carries nothing is none; "
                                             "\"none\" says that it is not known",
                                             keyspace_.capacity));
    }
    Read("capacity", keyspace_.capacity, capacity);
    keyspace_.shard_capacity = PerSecond(capacity);
    const std::string& text = keyspace_.split_at;
    if (!IsZero(text) && (text.ends_with("/s") || text.ends_with("/m") || text.ends_with("/h"))) {
      Rate rate;
      Read("split_at", text, rate);
      if (rate.writes == 0) return;
      if (keyspace_.shard_capacity == 0) return Problem("split_at", "a rate needs a `capacity`");
      keyspace_.split_share = PerSecond(rate) / keyspace_.shard_capacity;
    } else {
      const auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), keyspace_.split_share);
      if (error != std::errc{} || end != text.data() + text.size()) {
        keyspace_.split_share = 0;
      }
    }
    if (keyspace_.split_share >= kSplitShareLeast && keyspace_.split_share <= 1) return;
    Problem("split_at", fmt::format("must be a share of `capacity` from {} to 1, or a rate within "
                                    "these, and is \"{}\"",
                                    kSplitShareLeast, text));
  }

  // A limit of so much is refused for what it would do to writes; capacity does nothing to them.
  static bool IsZero(std::string_view rate) {
    const size_t slash = rate.find('/');
    return slash != 0 && slash != std::string_view::npos && rate.find_first_not_of('0') == slash;
  }

  static double PerSecond(const Rate& rate) {
    return static_cast<double>(rate.writes) / static_cast<double>(rate.period_s);
  }

  KeyspaceConfig& keyspace_;
  Problems& problems_;
  const std::string path_;
};

}  // namespace

void ResolveLimits(KeyspaceConfig& keyspace, Problems& problems) {
  LimitResolver(keyspace, problems).Resolve();
}

}  // namespace sluice::config
