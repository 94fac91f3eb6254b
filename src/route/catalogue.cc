#include "route/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "model/stored_key.h"
#include "route/token.h"

namespace sluice::route {
namespace {

constexpr int kDrawsMax = 100;  // of a number that must be new and not zero

std::vector<model::TokenPart> PartsOf(const config::KeyspaceConfig& wanted) {
  if (wanted.spec.parts.empty()) return {{model::TokenPartKind::kHash, {}}};
  std::vector<model::TokenPart> parts;
  for (const config::SpecPart& part : wanted.spec.parts) {
    const auto& names = wanted.pieces.segments;
    model::TokenPart made{};
    switch (part.kind) {
      case config::SpecPart::Kind::kHash:
        made.kind = model::TokenPartKind::kHash;
        break;
      case config::SpecPart::Kind::kRange:
        made.kind = model::TokenPartKind::kRange;
        break;
      case config::SpecPart::Kind::kGeo:
        made.kind = model::TokenPartKind::kGeo;
        break;
    }
    for (const std::string& segment : part.segments) {
      const auto found = std::find(names.begin(), names.end(), segment);
      SLUICE_CHECK_MSG(found != names.end(), segment);
      made.segments.push_back(static_cast<uint16_t>(found - names.begin()));
    }
    parts.push_back(std::move(made));
  }
  return parts;
}

bool SameParts(const std::vector<model::TokenPart>& a, const std::vector<model::TokenPart>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.kind == y.kind && x.segments == y.segments;
  });
}

model::Template TemplateOf(const config::KeyspaceConfig& wanted) {
  model::Template key{wanted.key, wanted.pieces.literals, wanted.pieces.segments};
  if (key.literals.empty()) key.literals.emplace_back();
  return key;
}

config::KeyTemplate PiecesOf(const model::Template& key) {
  return {key.literals, key.segments};
}

model::Rate RateOf(const config::Rate& rate) {
  return {rate.writes, rate.period_s, rate.burst};
}

model::WriteLimits WriteLimitsOf(const config::KeyspaceConfig& wanted) {
  return {RateOf(wanted.rate), RateOf(wanted.client_rate), RateOf(wanted.limit_by.meaning),
          wanted.limit_by.index, wanted.limit_acts == config::LimitMode::kObserve};
}

model::Policy PolicyOf(const config::KeyspaceConfig& wanted) {
  model::Policy policy;
  policy.ack = wanted.ack == config::Ack::kMemory ? model::Ack::kMemory : model::Ack::kDurable;
  policy.ttl_ms = wanted.ttl_ms;
  policy.append_only = wanted.append_only;
  policy.folds = wanted.hot_keys == config::HotKey::kFold;
  policy.priority = static_cast<model::Priority>(wanted.priority_class);  // the same numbers
  policy.limited = WriteLimitsOf(wanted).any();
  return policy;
}

// What each stored keyspace's configuration means, by keyspace id; the default without one.
template <class Meaning, class Of>
std::vector<Meaning> ById(const std::vector<model::Keyspace>& catalogue,
                          const std::vector<config::KeyspaceConfig>& wanted, Of of) {
  std::vector<Meaning> meanings;
  for (const model::Keyspace& stored : catalogue) {
    const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const auto& keyspace) {
      return keyspace.name == stored.name;
    });
    meanings.resize(std::max<size_t>(meanings.size(), stored.id.value + size_t{1}));
    if (found != wanted.end()) meanings[stored.id.value] = of(*found);
  }
  return meanings;
}

// Which region a value of the geo segment leads to; empty: refused.
class RegionRule {
 public:
  template <class Region>
  RegionRule(const std::vector<Region>& regions, std::string unknown)
      : unknown_(std::move(unknown)) {
    for (const Region& region : regions) {
      for (const std::string& value : region.match) named_[value] = region.name;
    }
  }
  const std::string& Of(const std::string& value) const {
    const auto found = named_.find(value);
    return found == named_.end() ? unknown_ : found->second;
  }
  const std::string& unknown() const { return unknown_; }
  const std::map<std::string, std::string>& named() const { return named_; }

 private:
  std::map<std::string, std::string> named_;
  std::string unknown_;
};

// Keys may be stored under whatever the old rule accepted; they must still be found.
Status CheckRegions(const model::Keyspace& stored, const config::KeyspaceConfig& wanted) {
  const std::string path = "keyspace." + wanted.name;
  for (const model::Region& region : stored.regions) {
    const bool kept = std::any_of(wanted.regions.begin(), wanted.regions.end(),
                                  [&](const auto& one) { return one.name == region.name; });
    if (kept) continue;
    return Fail(
        Code::kInvalid,
        fmt::format("{}.regions: region {} is stored and cannot be taken out", path, region.name));
  }
  const RegionRule before(stored.regions, stored.unknown_region);
  const RegionRule after(wanted.regions, wanted.unknown_region);
  if (!before.unknown().empty() && before.unknown() != after.unknown()) {
    return Fail(
        Code::kInvalid,
        fmt::format("{}.unknown_region cannot change: stored keys of unknown regions lie in "
                    "region {}",
                    path, before.unknown()));
  }
  for (const RegionRule* rule : {&before, &after}) {
    for (const auto& [value, region] : rule->named()) {
      const std::string& old = before.Of(value);
      if (old.empty() || old == after.Of(value)) continue;
      return Fail(
          Code::kInvalid,
          fmt::format("{}.regions: \"{}\" cannot leave region {}, where its stored keys lie", path,
                      value, old));
    }
  }
  return Ok();
}

Status CheckBaked(const model::Keyspace& stored, const config::KeyspaceConfig& wanted) {
  const std::string path = "keyspace." + wanted.name;
  // Segments may be renamed: no stored byte knows their names.
  if (stored.key.literals != TemplateOf(wanted).literals) {
    return Fail(Code::kInvalid,
                fmt::format("{}.key = \"{}\" cannot change: the keyspace was made with \"{}\"",
                            path, wanted.key, stored.key.text));
  }
  if (!SameParts(stored.token, PartsOf(wanted))) {
    return Fail(
        Code::kInvalid,
        fmt::format("{}.shard = \"{}\" cannot change: the keyspace was made with \"{}\" over "
                    "\"{}\"",
                    path, wanted.shard, stored.shard_spec, stored.key.text));
  }
  return CheckRegions(stored, wanted);
}

// Where the shards of one region (or of a whole keyspace) begin; the first begins at its lower end.
std::vector<std::string> CutsOf(bool range, uint64_t shards,
                                const std::vector<config::SplitPoint>& points) {
  std::vector<std::string> cuts = {""};
  if (range) {
    for (const config::SplitPoint& point : points) cuts.push_back(CutOf(point));
  } else {
    for (uint32_t i = 1; i < shards; ++i) {
      cuts.push_back(model::EvenHashCut(i, static_cast<uint32_t>(shards)));
    }
  }
  return cuts;
}

class Reconciler {
 public:
  Reconciler(const TopologyContent& now, const std::string& owner, const Draw& draw)
      : owner_(owner), draw_(draw) {
    change_.content = now;
    if (now.map != nullptr) {
      shards_ = now.map->shards();
      retired_ = now.map->retired();
    }
    for (const model::Shard& shard : shards_) lineages_.insert(shard.lineage.value);
    for (const model::RetiredShard& shard : retired_) lineages_.insert(shard.lineage.value);
  }

  Result<CatalogueChange> Run(const std::vector<config::KeyspaceConfig>& wanted) {
    SLUICE_TRY(CheckStoredTemplates(wanted));
    if (change_.content.node == 0) {
      change_.content.node = DrawNew();
      change_.changed = true;
    }
    SLUICE_TRY(Take(DefaultOf(wanted)));
    for (const config::KeyspaceConfig& keyspace : wanted) {
      if (keyspace.name != config::kDefaultName) SLUICE_TRY(Take(keyspace));
    }
    NoteUnconfigured(wanted);
    if (change_.changed) {
      const model::Epoch epoch =
          change_.content.map == nullptr ? model::Epoch(1) : change_.content.map->epoch().Next();
      SLUICE_ASSIGN(change_.content.map,
                    model::ShardMap::Make(epoch, std::move(shards_), std::move(retired_)));
    }
    change_.policies = PoliciesOf(change_.content.catalogue, wanted);
    return std::move(change_);
  }

 private:
  // `default` as configured, or as it is without a word.
  static config::KeyspaceConfig DefaultOf(const std::vector<config::KeyspaceConfig>& wanted) {
    for (const config::KeyspaceConfig& keyspace : wanted) {
      if (keyspace.name == config::kDefaultName) return keyspace;
    }
    config::KeyspaceConfig keyspace;
    keyspace.name = config::kDefaultName;
    keyspace.shards = config::kHashShardsUsual;
    return keyspace;
  }

  // The configuration was checked against itself; keyspaces it no longer names hold keys too.
  Status CheckStoredTemplates(const std::vector<config::KeyspaceConfig>& wanted) const {
    for (const model::Keyspace& stored : change_.content.catalogue) {
      if (stored.key.segments.empty()) continue;
      for (const config::KeyspaceConfig& keyspace : wanted) {
        if (keyspace.name == stored.name || keyspace.pieces.segments.empty()) continue;
        const auto key = config::CommonKey(PiecesOf(stored.key), keyspace.pieces);
        if (!key) continue;
        return Fail(Code::kInvalid,
                    fmt::format("keyspace.{}.key = \"{}\" can match keys of stored keyspace {} "
                                "(\"{}\"), for example {}",
                                keyspace.name, keyspace.key, stored.name, stored.key.text, *key));
      }
    }
    return Ok();
  }

  Status Take(const config::KeyspaceConfig& wanted) {
    auto& catalogue = change_.content.catalogue;
    const auto found = std::find_if(catalogue.begin(), catalogue.end(),
                                    [&](const auto& one) { return one.name == wanted.name; });
    model::KeyspaceId id;
    if (found == catalogue.end()) {
      SLUICE_ASSIGN(id, Add(wanted));
    } else {
      SLUICE_TRY(CheckBaked(*found, wanted));
      id = found->id;
      SLUICE_TRY(Update(*found, wanted));
      NoteShards(*found, wanted);
    }
    return Ok();
  }

  Result<model::KeyspaceId> Add(const config::KeyspaceConfig& wanted) {
    const bool is_default = wanted.name == config::kDefaultName;
    model::Keyspace keyspace;
    if (!is_default) {
      if (change_.content.next_keyspace_id >= model::kMetaKeyspace.value) {
        return Fail(
            Code::kInvalid,
            fmt::format("keyspace.{}: all {} keyspace ids were given out; none is used twice",
                        wanted.name, model::kMetaKeyspace.value));
      }
      keyspace.id = model::KeyspaceId(change_.content.next_keyspace_id++);
      change_.added.push_back(keyspace.id);
    }
    keyspace.name = wanted.name;
    keyspace.key = TemplateOf(wanted);
    keyspace.token = PartsOf(wanted);
    keyspace.unknown_region = wanted.unknown_region;
    keyspace.shard_spec = is_default ? "hash of the key or its {tag}" : wanted.shard;
    change_.changed = true;
    if (!wanted.spec.IsGeo()) {
      AddShards(keyspace.id, "", "",
                CutsOf(wanted.spec.IsRange(), wanted.shards, wanted.split_points));
    }
    change_.content.catalogue.push_back(std::move(keyspace));
    SLUICE_TRY(AddRegions(change_.content.catalogue.back(), wanted));
    return change_.content.catalogue.back().id;
  }

  // Brings what may change in a stored keyspace to what is wanted.
  Status Update(model::Keyspace& stored, const config::KeyspaceConfig& wanted) {
    if (stored.key.text != TemplateOf(wanted).text && stored.name != config::kDefaultName) {
      stored.key = TemplateOf(wanted);
      stored.shard_spec = wanted.shard;
      change_.changed = true;
    }
    if (stored.unknown_region != wanted.unknown_region) {
      stored.unknown_region = wanted.unknown_region;
      change_.changed = true;
    }
    for (model::Region& region : stored.regions) {
      for (const config::RegionConfig& one : wanted.regions) {
        if (one.name != region.name || (one.match == region.match && one.tag == region.tag)) {
          continue;
        }
        region.match = one.match;
        region.tag = one.tag;
        change_.changed = true;
      }
    }
    return AddRegions(stored, wanted);
  }

  // Adds the regions that the keyspace does not have yet. Their numbers are above all others, so
  // they take the upper end of the tokens, where no key lies; the region that was last ends there.
  Status AddRegions(model::Keyspace& keyspace, const config::KeyspaceConfig& wanted) {
    for (const config::RegionConfig& region : wanted.regions) {
      const auto known = std::find_if(keyspace.regions.begin(), keyspace.regions.end(),
                                      [&](const auto& one) { return one.name == region.name; });
      if (known != keyspace.regions.end()) continue;
      uint16_t number = kFirstRegionNumber;
      for (const model::Region& one : keyspace.regions) {
        if (one.number == UINT16_MAX) {
          return Fail(Code::kInvalid,
                      fmt::format("keyspace.{}.regions: all numbers were given out; "
                                  "none is used twice",
                                  keyspace.name));
        }
        number = std::max<uint16_t>(number, one.number + 1);
      }
      std::string begin;
      AppendRegion(begin, number);
      AddShards(keyspace.id, begin, region.name,
                CutsOf(wanted.spec.IsRange(), region.shards, region.split_points));
      keyspace.regions.push_back(
          {number, region.name, region.match, static_cast<uint32_t>(region.shards), region.tag});
      change_.changed = true;
    }
    return Ok();
  }

  // Adds shards behind those that the keyspace has; its first shard begins at the empty token.
  void AddShards(model::KeyspaceId keyspace, const std::string& prefix, const std::string& region,
                 const std::vector<std::string>& cuts) {
    model::Shard* before = nullptr;
    for (model::Shard& shard : shards_) {
      if (shard.keyspace == keyspace && shard.end.empty()) before = &shard;
    }
    for (size_t i = 0; i < cuts.size(); ++i) {
      model::Shard shard;
      shard.id = model::ShardId(change_.content.next_shard_id++);
      shard.keyspace = keyspace;
      if (before != nullptr) {
        shard.begin = prefix + cuts[i];
        before->end = shard.begin;
      }
      shard.lineage = model::Lineage(DrawNew());
      shard.epoch = model::Epoch(1);
      shard.owner = owner_;
      shard.region = region;
      shards_.push_back(std::move(shard));
      before = &shards_.back();
    }
  }

  uint64_t DrawNew() {
    for (int i = 0; i < kDrawsMax; ++i) {
      const uint64_t number = draw_();
      if (number != 0 && lineages_.insert(number).second) return number;
    }
    SLUICE_CHECK_MSG(false, "the source of random numbers repeats itself");
    return 0;
  }

  // Of a keyspace whose shards have been split or merged nobody expects the number that it began
  // with.
  void NoteShards(const model::Keyspace& stored, const config::KeyspaceConfig& wanted) {
    if (std::any_of(retired_.begin(), retired_.end(), [&](const model::RetiredShard& shard) {
          return shard.keyspace == stored.id;
        })) {
      return;
    }
    const auto note = [&](const std::string& path, uint64_t now, uint64_t asked) {
      if (now == asked) return;
      change_.notes.push_back(
          fmt::format("{}.shards = {} has no effect: it says how many shards to begin with, and "
                      "there are {} now",
                      path, asked, now));
    };
    const std::string path = "keyspace." + wanted.name;
    if (stored.regions.empty()) {
      note(path, ShardsOf(stored.id, ""), wanted.shards);
    }
    for (const config::RegionConfig& region : wanted.regions) {
      note(path + ".regions." + region.name, ShardsOf(stored.id, region.name), region.shards);
    }
  }

  uint64_t ShardsOf(model::KeyspaceId keyspace, std::string_view region) const {
    return static_cast<uint64_t>(
        std::count_if(shards_.begin(), shards_.end(), [&](const model::Shard& shard) {
          return shard.keyspace == keyspace && shard.region == region;
        }));
  }

  void NoteUnconfigured(const std::vector<config::KeyspaceConfig>& wanted) {
    for (const model::Keyspace& stored : change_.content.catalogue) {
      const bool named = std::any_of(wanted.begin(), wanted.end(), [&](const auto& keyspace) {
        return keyspace.name == stored.name;
      });
      if (named || stored.key.segments.empty()) continue;
      change_.notes.push_back(
          fmt::format("keyspace {} (\"{}\") is stored and not configured: it is "
                      "kept, with the default policy",
                      stored.name, stored.key.text));
    }
  }

  const std::string& owner_;
  const Draw& draw_;
  CatalogueChange change_;
  std::vector<model::Shard> shards_;
  std::vector<model::RetiredShard> retired_;
  std::set<uint64_t> lineages_;
};

}  // namespace

Result<CatalogueChange> Reconcile(const TopologyContent& now,
                                  const std::vector<config::KeyspaceConfig>& wanted,
                                  const std::string& owner, const Draw& draw) {
  return Reconciler(now, owner, draw).Run(wanted);
}

std::vector<model::Policy> PoliciesOf(const std::vector<model::Keyspace>& catalogue,
                                      const std::vector<config::KeyspaceConfig>& wanted) {
  return ById<model::Policy>(catalogue, wanted, PolicyOf);
}

std::vector<model::WriteLimits> LimitsOf(const std::vector<model::Keyspace>& catalogue,
                                         const std::vector<config::KeyspaceConfig>& wanted) {
  return ById<model::WriteLimits>(catalogue, wanted, WriteLimitsOf);
}

std::vector<model::Policy> PoliciesOf(const std::vector<model::Keyspace>& catalogue,
                                      const config::Config& config) {
  std::vector<model::Policy> policies = PoliciesOf(catalogue, config.keyspaces);
  for (const config::ProjectionConfig& projection : config.projections) {
    for (const model::Keyspace& keyspace : catalogue) {
      if (keyspace.name != projection.from) continue;
      model::Policy& policy = policies[keyspace.id.value];
      policy.projected = true;
      policy.increments_only |= projection.sets == config::ProjectionMode::kAdd;
    }
  }
  return policies;
}

std::string CutOf(const config::SplitPoint& point) {
  std::string cut;
  for (const std::string& value : point) AppendRangeCode(cut, value);
  return cut;
}

}  // namespace sluice::route
