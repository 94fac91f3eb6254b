// Shards move from owners that have much to owners that have little, and home to their region's.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "plan/shard_key.h"
#include "rebalance/draft.h"

namespace sluice::rebalance {
namespace {

using plan::Percent;

constexpr double kBusyLeast = 0.5;    // an owner below this is left alone, however idle others are
constexpr double kAboveMean = 0.1;    // and one that is not so far above the mean
constexpr double kMargin = 0.05;      // below what the giver had, the taker must stay
constexpr double kPays = 0.01;        // of an owner: a smaller shard is not worth a move
constexpr double kNearlyBest = 0.7;   // of gains that are so near the best, the fewest bytes win
constexpr double kGreatShare = 0.25;  // of an owner: a shard that is split so that it can be given

struct Option {
  double gain = 0;  // by which the greater of both loads falls
  size_t shard = 0, to = 0;
};

// The owner for which moving `part` of the shard pays most. `any`: whether or not it can move now.
std::optional<Option> BestTarget(const Draft& draft, size_t at, double part, bool any) {
  std::optional<Option> best;
  const size_t from = draft.shard(at).owner;
  const double had = draft.used(from), left = had - part * draft.Share(at, from);
  for (size_t to = 0; to < draft.survey().owners.size(); ++to) {
    if (to == from || !draft.MayOwn(to, at)) continue;
    if (!any && !draft.CanTake(to)) continue;
    const double has = draft.used(to) + part * draft.Share(at, to);
    const double gain = had - std::max(left, has);
    if (gain < kPays || has > had - kMargin) continue;
    if (!best || gain > best->gain) best = Option{gain, at, to};
  }
  return best;
}

std::string Bytes(uint64_t bytes) {
  const auto mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1'024 ? fmt::format("{:.0f} MiB", mib) : fmt::format("{:.1f} GiB", mib / 1'024);
}

void MoveBest(Draft& draft, const std::vector<Option>& options) {
  double best = 0;
  for (const Option& each : options) best = std::max(best, each.gain);
  const Option* chosen = nullptr;
  for (const Option& each : options) {
    if (each.gain < kNearlyBest * best) continue;
    if (!chosen || draft.shard(each.shard).bytes < draft.shard(chosen->shard).bytes) chosen = &each;
  }
  const size_t at = chosen->shard, from = draft.shard(at).owner, to = chosen->to;
  const auto& owners = draft.survey().owners;
  draft.Move(
      at, to,
      fmt::format("{} is {} busy while {} is {}; {} is {} of it", owners[from].name,
                  Percent(draft.used(from)), owners[to].name, Percent(draft.used(to)),
                  draft.NameOf(at), Percent(draft.Share(at, from))),
      fmt::format("{} and {} busy; {} to copy", Percent(draft.used(from) - draft.Share(at, from)),
                  Percent(draft.used(to) + draft.Share(at, to)), Bytes(draft.shard(at).bytes)));
}

// No shard of the owner can be given; half of its greatest could.
void SplitGreatest(Draft& draft, size_t owner, const std::vector<size_t>& shards) {
  std::optional<size_t> greatest;
  for (const size_t at : shards) {
    if (!greatest || draft.Share(at, owner) > draft.Share(*greatest, owner)) greatest = at;
  }
  if (!greatest || draft.Share(*greatest, owner) < kGreatShare) return;
  const bool urgent = draft.used(owner) >= kMelts;
  if (!draft.Free(*greatest, urgent)) return;
  if (WhyNoSplit(draft.shard(*greatest), urgent) != NoSplit::kNone) return;
  if (!BestTarget(draft, *greatest, 0.5, true)) return;
  draft.Split(*greatest,
              fmt::format("{} is {} busy, {} of that with {}, which is too much to move "
                          "whole; a half of it can be moved",
                          draft.survey().owners[owner].name, Percent(draft.used(owner)),
                          Percent(draft.Share(*greatest, owner)), draft.NameOf(*greatest)));
}

void Relieve(Draft& draft, size_t owner, const std::vector<size_t>& shards) {
  const bool urgent = draft.used(owner) >= kMelts;
  std::vector<Option> options;
  bool some = false;  // shard could be given, if not now
  for (const size_t at : shards) {
    some = some || BestTarget(draft, at, 1, true);
    if (!draft.Free(at, urgent)) continue;
    if (const auto best = BestTarget(draft, at, 1, false)) options.push_back(*best);
  }
  if (!some) return SplitGreatest(draft, owner, shards);
  if (!options.empty() && draft.CanGive(owner)) MoveBest(draft, options);
}

}  // namespace

void ReturnMisplaced(Draft& draft) {
  for (size_t at = 0; at < draft.survey().shards.size(); ++at) {
    const size_t from = draft.shard(at).owner;
    if (draft.MayOwn(from, at) || draft.shard(at).moving_to) continue;
    std::optional<size_t> to;
    bool some = false;  // owner has the tag
    for (size_t owner = 0; owner < draft.survey().owners.size(); ++owner) {
      if (!draft.MayOwn(owner, at)) continue;
      some = true;
      if (!draft.CanTake(owner)) continue;
      if (!to || draft.used(owner) < draft.used(*to)) to = owner;
    }
    const std::string& tag = draft.RegionOf(at)->tag;
    const std::string what =
        fmt::format("{} is of region {} and lies at {}, which has no tag '{}'", draft.NameOf(at),
                    draft.RegionOf(at)->name, draft.survey().owners[from].name, tag);
    if (!some) {
      draft.Warn(Trouble::kNoOwner, at, what + "; no owner has it: tag one, or add one");
    } else if (to && !draft.full() && draft.Free(at, true)) {
      draft.Move(at, *to, what,
                 fmt::format("it lies at {}, which has; {} to copy",
                             draft.survey().owners[*to].name, Bytes(draft.shard(at).bytes)));
    }
  }
}

void EvenOwners(Draft& draft) {
  const auto& survey = draft.survey();
  std::vector<std::vector<size_t>> shards(survey.owners.size());
  for (size_t at = 0; at < survey.shards.size(); ++at) {
    if (!survey.shards[at].moving_to) shards[survey.shards[at].owner].push_back(at);
  }
  const double mean = draft.MeanUsed("");
  std::vector<size_t> order(survey.owners.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return draft.used(a) > draft.used(b); });
  for (const size_t owner : order) {
    if (draft.full()) return;
    if (draft.used(owner) < std::max(kBusyLeast, mean + kAboveMean)) continue;
    Relieve(draft, owner, shards[owner]);
  }
}

}  // namespace sluice::rebalance
