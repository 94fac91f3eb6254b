// What no split, merge or move cures, with the arithmetic of what does.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "plan/capacity.h"
#include "plan/shard_key.h"
#include "rebalance/draft.h"

namespace sluice::rebalance {
namespace {

using plan::Percent;
using plan::Thousands;

constexpr double kOneKey = 0.5;         // a key with more of the load than this is what is hot
constexpr double kFullUsed = 0.85;      // owners together: no move makes room
constexpr double kHalfAnOwner = 0.5;    // a shard with so much of one is hot, whatever it may take
constexpr size_t kKeyBytesShown = 128;  // of a hot key

std::string Shown(const std::string& key) {
  std::string shown;
  for (const char c : key.substr(0, kKeyBytesShown)) {
    shown += c > ' ' && c <= '~' ? std::string(1, c)
                                 : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return shown + (key.size() > kKeyBytesShown ? "…" : "");
}

void WarnOfKey(Draft& draft, size_t at) {
  const SurveyedShard& it = draft.shard(at);
  const double capacity = draft.KeyspaceOf(at).capacity;
  const double writes = it.hottest->share * it.writes.minute;
  std::string text = fmt::format(
      "key {} alone takes {} of the {} writes/s of {}: a split can only take the rest away from "
      "it, and more shards do not help one key; ",
      Shown(it.hottest->key), Thousands(writes), Thousands(it.writes.minute), draft.NameOf(at));
  const plan::HotKeyPlan plan = plan::PlanHotKey(writes, capacity > 0 ? capacity : writes);
  if (capacity <= 0) {
    text += "folding or sub-keys do";
  } else if (plan.fits) {
    text +=
        fmt::format("a shard carries {}: it is near its bound, not over it", Thousands(capacity));
  } else {
    text += fmt::format(
        "{} / {} = {:.2f}: {} sub-keys of {} do, or folding {:.1f} writes into each record",
        Thousands(writes), Thousands(capacity), writes / capacity, Thousands(plan.sub_keys),
        Thousands(writes / plan.sub_keys), plan.fold_at_least);
  }
  draft.Warn(Trouble::kHotKey, at, std::move(text), capacity > 0 && !plan.fits);
}

void WarnOfTail(Draft& draft, size_t at) {
  draft.Warn(
      Trouble::kTail, at,
      fmt::format("{} of the {} writes/s of {} lie above all keys that it had a minute ago: keys "
                  "grow with time, so wherever it is cut, the last part has them all again; what "
                  "helps is a bucket or a hash in front of the time, `range(bucket, day)` or "
                  "`hash(device_id)`, or, where something that spreads follows the time, to cut "
                  "the range ahead of it",
                  Percent(draft.shard(at).rising), Thousands(draft.shard(at).writes.minute),
                  draft.NameOf(at)));
}

// A mean that looks safe beside a shard that is not.
void WarnOfSkew(Draft& draft, const SurveyedKeyspace& keyspace, const std::vector<size_t>& shards) {
  if (keyspace.capacity <= 0) return;
  std::vector<double> writes;
  for (const size_t at : shards) writes.push_back(draft.shard(at).writes.minute);
  const plan::SkewPlan skew = plan::PlanSkew(writes, keyspace.capacity);
  if (!skew.hot || skew.mean > keyspace.capacity) return;
  draft.Warn(Trouble::kSkew, shards[skew.at],
             fmt::format("{} takes {} writes/s and carries {}; the mean of all {} shards is {} and "
                         "looks safe, that of the others is {}",
                         draft.NameOf(shards[skew.at]), Thousands(skew.busiest),
                         Thousands(keyspace.capacity), shards.size(), Thousands(skew.mean),
                         Thousands(skew.rest)));
}

void WarnOfFull(Draft& draft) {
  std::set<std::string> tags = {""};
  for (const SurveyedKeyspace& keyspace : draft.survey().keyspaces) {
    for (const SurveyedRegion& region : keyspace.regions) tags.insert(region.tag);
  }
  for (const std::string& tag : tags) {
    const double used = draft.MeanUsed(tag);
    if (used < kFullUsed) continue;
    draft.WarnOfAll(
        Trouble::kFull,
        fmt::format("{} are {} busy together: moves only pass it around; add some",
                    tag.empty() ? "all owners" : "owners with tag '" + tag + "'", Percent(used)));
  }
}

}  // namespace

void WarnOfTrouble(Draft& draft) {
  std::vector<size_t> of_keyspace;
  const auto& shards = draft.survey().shards;
  for (size_t at = 0; at < shards.size(); ++at) {
    of_keyspace.push_back(at);
    const double from = draft.SplitFrom(at);
    const bool hot = from > 0 && shards[at].writes.minute >= from;
    if (hot || draft.Share(at, shards[at].owner) >= kHalfAnOwner) {
      const auto& hottest = shards[at].hottest;
      if (hottest && hottest->share >= kOneKey) WarnOfKey(draft, at);
      if (WhyNoSplit(shards[at], true) == NoSplit::kTail) WarnOfTail(draft, at);
    }
    if (at + 1 < shards.size() && shards[at + 1].keyspace == shards[at].keyspace) continue;
    WarnOfSkew(draft, draft.KeyspaceOf(at), of_keyspace);
    of_keyspace.clear();
  }
  WarnOfFull(draft);
}

}  // namespace sluice::rebalance
