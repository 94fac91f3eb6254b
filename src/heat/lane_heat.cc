#include "heat/lane_heat.h"

#include <xxhash.h>

#include <algorithm>

namespace sluice::heat {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint64_t kSecondsMost = 600;  // no window looks further back

}  // namespace

LaneHeat::LaneHeat(size_t shards, uint64_t seed) : shards_(shards), keys_(kHotKeys), prng_(seed) {}

void LaneHeat::BeginTurn(uint64_t now_us) {
  now_us_ = std::max(now_us_, now_us);
  if (second_began_us_ == 0) second_began_us_ = now_us_;
  turn_.began_us = now_us_;
}

void LaneHeat::Durable(model::Lsn lsn) {
  for (; !waiting_.empty() && waiting_.front().last <= lsn; waiting_.pop_front()) {
    const Turn& turn = waiting_.front();
    for (const size_t shard : turn.shards) {
      for (Latencies& latencies : shards_[shard].latencies) latencies.Add(now_us_ - turn.began_us);
    }
  }
}

void LaneHeat::EndTurn(model::Lsn last) {
  if (last != model::Lsn() && !turn_.shards.empty() && waiting_.size() < kTurnsWaiting) {
    turn_.last = last;
    waiting_.push_back(turn_);
  }
  turn_.shards.clear();
}

void LaneHeat::TakeSample(model::KeyspaceId keyspace, size_t shard, std::string_view token,
                          std::string_view key) {
  keys_.Add(keyspace, shard, key, XXH3_64bits_withSeed(key.data(), key.size(), keyspace.value),
            static_cast<double>(every_), now_us_);
  if (turn_.shards.size() < kSamplesPerTurn) turn_.shards.push_back(shard);
  if (samples_.size() < kSamplesKept) {
    token = token.substr(0, kTokenBytesKept);
    key = key.substr(0, kSampleKeyBytesKept);
    samples_.push_back(
        {keyspace, static_cast<double>(every_), sample_bytes_.size(), token.size(), key.size()});
    sample_bytes_.append(token).append(key);
  }
  // 1 to 2 every_ - 1: every_ on average.
  until_sample_ = 1 + prng_.Below(2 * every_ - 1);
}

bool LaneHeat::Tick(uint64_t cpu_us) {
  const uint64_t elapsed_us = now_us_ - second_began_us_;
  if (elapsed_us < kSecondUs) return false;
  const uint64_t seconds = std::min(elapsed_us / kSecondUs, kSecondsMost);
  EndSeconds(seconds, static_cast<double>(elapsed_us) / kSecondUs,
             static_cast<double>(cpu_us - cpu_us_));
  second_began_us_ = now_us_;
  cpu_us_ = cpu_us;
  return true;
}

void LaneHeat::EndSamples(double writes) {
  double weight = 0;
  for (const Taken& taken : samples_) weight += taken.weight;
  ended_.clear();
  for (const Taken& taken : samples_) {
    ended_.push_back({taken.keyspace, taken.weight * writes / weight,
                      sample_bytes_.substr(taken.at, taken.token_size),
                      sample_bytes_.substr(taken.at + taken.token_size, taken.key_size)});
  }
  samples_.clear();
  sample_bytes_.clear();
}

// A shard has the part of the lane's time that it has of its commands.
void LaneHeat::EndSeconds(uint64_t seconds, double elapsed_s, double cpu_us) {
  uint64_t commands = 0, writes = 0;
  for (const Shard& shard : shards_) {
    commands += shard.writes + shard.reads;
    writes += shard.writes;
  }
  for (Shard& shard : shards_) {
    Load load;
    load.writes = static_cast<double>(shard.writes);
    load.reads = static_cast<double>(shard.reads);
    load.bytes = static_cast<double>(shard.bytes);
    if (commands > 0) load.cpu_us = cpu_us * (load.writes + load.reads) / commands;
    load = load.Per(elapsed_s);
    load.queued = static_cast<double>(shard.queue->commands);
    load.queue_bytes = static_cast<double>(shard.queue->bytes);
    for (uint64_t i = 0; i < seconds; ++i) {
      shard.windows.EndSecond(load);
      for (Latencies& latencies : shard.latencies) latencies.EndSecond();
    }
    shard.writes = shard.reads = shard.bytes = 0;
  }
  EndSamples(static_cast<double>(writes));
  const auto per_second = static_cast<uint64_t>(static_cast<double>(writes) / elapsed_s);
  every_ = std::max<uint64_t>(1, per_second / kSamplesPerSecond);
  until_sample_ = std::min(until_sample_, every_);
}

void LaneHeat::Adopt(std::span<const Former> former) {
  std::vector<Shard> shards(former.size());
  for (size_t i = 0; i < former.size(); ++i) {
    for (size_t j = former[i].first; j < former[i].first + former[i].count; ++j) {
      shards[i].windows.Add(shards_[j].windows, former[i].share);
    }
    shards[i].latencies = shards_[former[i].first].latencies;
  }
  shards_ = std::move(shards);
  keys_ = HotKeys(kHotKeys);
  turn_.shards.clear();
  waiting_.clear();
}

void LaneHeat::Take(size_t shard, const LaneHeat& from) {
  shards_[shard].windows = from.shards_[shard].windows;
  shards_[shard].latencies = from.shards_[shard].latencies;
}

ShardHeat LaneHeat::Of(size_t shard) const {
  const Shard& here = shards_[shard];
  const auto window = [&here](const Load& load, size_t i) {
    const Latencies& latencies = here.latencies[i];
    return ShardHeat::Window{load, latencies.Percentile(0.5), latencies.Percentile(0.99)};
  };
  return {window(here.windows.second(), 0), window(here.windows.minute(), 1),
          window(here.windows.ten_minutes(), 2), here.windows.busiest_minute()};
}

}  // namespace sluice::heat
