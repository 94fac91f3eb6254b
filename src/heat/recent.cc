#include "heat/recent.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice::heat {
namespace {

struct Weighed {
  const Sample* sample;
  double weight;
  bool is_new;  // of the last kRisingSeconds
};

// Of what is new, the share that lies above all that is not; 0 when there is only one of both.
// `sorted`: by token.
double RisingShare(std::span<const Weighed> sorted) {
  double fresh = 0, above = 0;
  bool top = true;
  for (auto at = sorted.rbegin(); at != sorted.rend(); ++at) {
    top = top && at->is_new;
    if (at->is_new) fresh += at->weight;
    if (top) above += at->weight;
  }
  return top || fresh == 0 ? 0 : above / fresh;
}

// Of the samples of one token, the key that weighs most.
std::string_view HeaviestKey(std::span<const Weighed> of_token) {
  std::map<std::string_view, double> keys;
  for (const Weighed& one : of_token) keys[one.sample->key] += one.weight;
  return std::max_element(keys.begin(), keys.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

// `sorted`: by token.
LoadCut CutAmong(std::span<const Weighed> sorted, double all) {
  LoadCut cut;
  cut.samples = sorted.size();
  std::span<const Weighed> heaviest;
  double below = 0, heaviest_weight = 0;
  for (size_t i = 0; i < sorted.size();) {
    const std::string& token = sorted[i].sample->token;
    size_t end = i;
    double weight = 0;
    for (; end < sorted.size() && sorted[end].sample->token == token; ++end) {
      weight += sorted[end].weight;
    }
    if (weight > heaviest_weight) {
      heaviest_weight = weight;
      heaviest = sorted.subspan(i, end - i);
    }
    // A token that was not kept whole is a place between others, and no token to cut at.
    const bool whole = token.size() < kTokenBytesKept;
    const double share = below / all;
    if (i > 0 && whole && std::abs(share - 0.5) < std::abs(cut.below - 0.5)) {
      cut.at = token;
      cut.below = share;
    }
    below += weight;
    i = end;
  }
  cut.token = heaviest.front().sample->token;
  cut.key = HeaviestKey(heaviest);
  cut.share = heaviest_weight / all;
  cut.rising = RisingShare(sorted);
  return cut;
}

}  // namespace

std::string WhatHelps(const std::optional<LoadCut>& cut, bool folds) {
  if (!cut) return "SLUICE HOTKEYS names the keys that are written most";
  if (cut->one_key()) {
    return fmt::format(
        "one key takes {} % of it, which no split parts: SLUICE HOTKEYS names it, {}spreading it "
        "over several keys helps",
        std::lround(100 * cut->share), folds ? "" : "folding its writes or ");
  }
  if (cut->rising >= kRisingShare) {
    return "its keys grow with time, and the last part of any split has them all again: something "
           "that spreads in front of the time helps";
  }
  return fmt::format(
      "its load can be parted at {} %, as far as the last minute tells; a key that has just become "
      "hot, or keys that grow with time, are named by the balancer's warnings once they are known",
      std::lround(100 * cut->below));
}

void Recent::EndSecond(uint64_t now_s, const model::ShardMap& map,
                       std::span<const Sample> samples) {
  now_s_ = now_s;
  for (const Sample& sample : samples) {
    const model::Shard& at = map.shards()[map.Find(sample.keyspace, sample.token)];
    Shard& shard = shards_[at.id];
    shard.keyspace = sample.keyspace;
    shard.last_s = now_s;
    Draw(shard, sample);
  }
  for (auto at = shards_.begin(); at != shards_.end();) {
    if (at->second.seen > 0) Keep(at->second);
    at = at->second.last_s + kRecentSeconds < now_s ? shards_.erase(at) : std::next(at);
  }
}

void Recent::Draw(Shard& shard, const Sample& sample) {
  const bool first = shard.kept.size() < kRecentPerShard / 2;
  const size_t most = first ? kRecentAtFirst : kRecentPerSecond;
  shard.weight += sample.weight;
  ++shard.seen;
  if (shard.drawn.size() < most) {
    shard.drawn.push_back(&sample);
  } else if (const uint64_t place = prng_.Below(shard.seen); place < most) {
    shard.drawn[place] = &sample;
  }
}

void Recent::Keep(Shard& shard) {
  for (const Sample* const sample : shard.drawn) {
    Kept kept{*sample, now_s_};
    kept.sample.weight = shard.weight / static_cast<double>(shard.drawn.size());
    if (shard.kept.size() < kRecentPerShard) {
      shard.kept.push_back(std::move(kept));
    } else {
      shard.kept[prng_.Below(kRecentPerShard)] = std::move(kept);
    }
  }
  shard.drawn.clear();
  shard.seen = 0;
  shard.weight = 0;
}

std::optional<LoadCut> Recent::CutOf(model::KeyspaceId keyspace, std::string_view begin,
                                     std::string_view end) const {
  std::vector<Weighed> found;
  double all = 0;
  for (const auto& [id, shard] : shards_) {
    if (shard.keyspace != keyspace) continue;
    for (const Kept& kept : shard.kept) {
      const std::string_view token = kept.sample.token;
      const uint64_t age_s = now_s_ - kept.second;
      if (token < begin || (!end.empty() && token >= end) || age_s > kRecentSeconds) continue;
      const double fade = static_cast<double>(age_s) / kRecentHalfLifeS;
      found.push_back(
          {&kept.sample, kept.sample.weight * std::exp2(-fade), age_s < kRisingSeconds});
      all += found.back().weight;
    }
  }
  if (found.size() < kCutSamplesLeast || all <= 0) return std::nullopt;
  std::sort(found.begin(), found.end(),
            [](const Weighed& a, const Weighed& b) { return a.sample->token < b.sample->token; });
  return CutAmong(found, all);
}

}  // namespace sluice::heat
