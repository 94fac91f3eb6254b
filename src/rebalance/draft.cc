#include "rebalance/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.h"
#include "plan/shard_key.h"

namespace sluice::rebalance {
namespace {

bool Has(const SurveyedOwner& owner, const std::string& tag) {
  return tag.empty() || std::find(owner.tags.begin(), owner.tags.end(), tag) != owner.tags.end();
}

}  // namespace

Draft::Draft(const Survey& survey, const Settings& settings)
    : survey_(survey),
      settings_(settings),
      slots_(settings.mode == Mode::kOff ? 0
                                         : settings.jobs - std::min(settings.jobs, survey.jobs)),
      taken_(survey.shards.size()),
      used_(survey.owners.size()),
      moves_(survey.owners.size()),
      settles_(survey.owners.size()) {
  std::map<model::KeyspaceId, const SurveyedKeyspace*> by_id;
  for (const SurveyedKeyspace& keyspace : survey.keyspaces) by_id[keyspace.id] = &keyspace;
  for (size_t at = 0; at < survey.shards.size(); ++at) {
    const SurveyedShard& it = survey.shards[at];
    SLUICE_CHECK(it.owner < survey.owners.size());
    const SurveyedKeyspace& keyspace = *by_id.at(it.keyspace);
    const auto region =
        std::find_if(keyspace.regions.begin(), keyspace.regions.end(),
                     [&](const SurveyedRegion& each) { return each.name == it.region; });
    keyspaces_.push_back(&keyspace);
    regions_.push_back(region == keyspace.regions.end() ? nullptr : &*region);
    used_[it.moving_to.value_or(it.owner)] += Share(at, it.moving_to.value_or(it.owner));
    if (!UnchangedFor(at, kSettleUs)) settles_[it.owner] = true;
    if (it.moving_to) moves_[it.owner] = moves_[*it.moving_to] = true;
  }
}

std::string Draft::NameOf(size_t at) const {
  return fmt::format("shard {} of {}", shard(at).id.value, KeyspaceOf(at).name);
}

double Draft::Share(size_t at, size_t owner) const {
  const SurveyedShard& it = shard(at);
  const double here = survey_.owners[it.owner].capacity, there = survey_.owners[owner].capacity;
  if (it.cpu) return here > 0 && there > 0 ? *it.cpu * here / there : *it.cpu;
  return there > 0 ? it.writes.minute / there : 0;
}

bool Draft::MayOwn(size_t owner, size_t at) const {
  return RegionOf(at) == nullptr || Has(survey_.owners[owner], RegionOf(at)->tag);
}

double Draft::MeanUsed(const std::string& tag) const {
  double used = 0, capacity = 0;
  for (size_t owner = 0; owner < used_.size(); ++owner) {
    if (!Has(survey_.owners[owner], tag)) continue;
    const double carries = survey_.owners[owner].capacity > 0 ? survey_.owners[owner].capacity : 1;
    used += used_[owner] * carries;
    capacity += carries;
  }
  return capacity > 0 ? used / capacity : 0;
}

bool Draft::UnchangedFor(size_t at, uint64_t us) const {
  return survey_.now_us - std::min(survey_.now_us, shard(at).changed_us) >= us ||
         shard(at).changed_us == 0;
}

bool Draft::Free(size_t at, bool urgent) const {
  const uint64_t rest = urgent ? kSettleUs : std::max(kSettleUs, settings_.cooldown_us);
  return !taken_[at] && !shard(at).busy && UnchangedFor(at, rest);
}

void Draft::Split(size_t at, std::string reason) {
  SLUICE_CHECK(!full());
  const SurveyedShard& it = shard(at);
  taken_[at] = true;
  decision_.proposals.push_back(
      {.kind = Kind::kSplit,
       .shard = it.id,
       .token = it.cut->token,
       .reason = std::move(reason),
       .effect = fmt::format("cut where its load halves: {} and {} writes/s",
                             plan::Thousands(it.writes.minute * it.cut->below),
                             plan::Thousands(it.writes.minute * (1 - it.cut->below)))});
}

void Draft::Move(size_t at, size_t to, std::string reason, std::string effect) {
  SLUICE_CHECK(!full());
  const size_t from = shard(at).owner;
  taken_[at] = moves_[from] = moves_[to] = true;
  used_[from] -= Share(at, from);
  used_[to] += Share(at, to);
  decision_.proposals.push_back({.kind = Kind::kMove,
                                 .shard = shard(at).id,
                                 .to = to,
                                 .reason = std::move(reason),
                                 .effect = std::move(effect)});
}

void Draft::Merge(size_t lower, std::string reason, std::string effect) {
  SLUICE_CHECK(!full());
  taken_[lower] = taken_[lower + 1] = true;
  decision_.proposals.push_back({.kind = Kind::kMerge,
                                 .shard = shard(lower).id,
                                 .with = shard(lower + 1).id,
                                 .reason = std::move(reason),
                                 .effect = std::move(effect)});
}

void Draft::Warn(Trouble trouble, size_t at, std::string text, bool over) {
  decision_.warnings.push_back({trouble, shard(at).id, std::move(text), over});
}

void Draft::WarnOfAll(Trouble trouble, std::string text) {
  decision_.warnings.push_back({.trouble = trouble, .text = std::move(text)});
}

}  // namespace sluice::rebalance
