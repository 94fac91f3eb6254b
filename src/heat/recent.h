// Recent: some of the last writes of each shard. They say where a range of tokens has to be cut so
// that both parts carry the same load, and whether one key makes a cut useless.
//
// Of each shard, kRecentPerSecond writes are kept of every second (more at first, so that a new
// load is known at once), drawn at random and weighted with the second's load; one that is kept
// when kRecentPerShard are there takes the place of another. What they weigh fades by half in
// kRecentHalfLifeS. So the answer is of about the last minute, the load median is right within some
// percent of the load, and a load of seconds ago already shows.
//
// They are found by token: shards that are split, merged or moved lose nothing.
//
// Owns:     at most kRecentPerShard samples per shard that was written to in the last
//           kRecentSeconds: usually some 25 KiB.
// Threads:  none; one caller at a time.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "heat/sample.h"
#include "model/shard_map.h"

namespace sluice::heat {

inline constexpr size_t kRecentPerShard = 256;
inline constexpr size_t kRecentPerSecond = 4;
inline constexpr size_t kRecentAtFirst = 32;  // a second, until half of them are there
inline constexpr uint64_t kRecentHalfLifeS = 60;
inline constexpr uint64_t kRecentSeconds = 600;  // older ones are forgotten
inline constexpr size_t kCutSamplesLeast = 32;   // fewer say nothing
inline constexpr double kOneKeyShare = 0.5;
inline constexpr uint64_t kRisingSeconds = 30;
inline constexpr double kRisingShare = 0.5;  // from here on keys grow with time

// How the load of a range of tokens could be parted.
struct LoadCut {
  // Where to cut: [begin, at) and [at, end) are as even as a cut can make them. Empty: all load is
  // on one token, or on ones that cannot be told apart, so that no cut parts it.
  std::string at;
  double below = 0;  // the share of the load that is before `at`
  // The token that most writes went to, and of its keys the one that most were of, as far as
  // samples keep it.
  std::string token, key;
  double share = 0;  // of the load that is on that token
  // The share of the last kRisingSeconds' load that is above all tokens known from before them:
  // near 1 where tokens grow with time.
  double rising = 0;
  size_t samples = 0;  // that this was told by

  // The hotter part's share after the cut: 0.5 at best, 1 when it is useless.
  double hotter() const { return at.empty() ? 1 : below > 0.5 ? below : 1 - below; }
  // One key, or keys of one token, are the load: more shards do not help.
  bool one_key() const { return share >= kOneKeyShare; }
};

// Against a shard that has too much: no split parts one key, and none that time goes on with lasts.
// `folds`: its keyspace folds the writes of hot keys already.
std::string WhatHelps(const std::optional<LoadCut>& cut, bool folds);

class Recent {
 public:
  explicit Recent(uint64_t seed) : prng_(seed) {}

  // A second is over in which these were sampled. Requires: now_s never steps back.
  void EndSecond(uint64_t now_s, const model::ShardMap& map, std::span<const Sample> samples);
  // None when too little is known of the range. An empty end is no bound.
  std::optional<LoadCut> CutOf(model::KeyspaceId keyspace, std::string_view begin,
                               std::string_view end) const;

 private:
  struct Kept {
    Sample sample;
    uint64_t second = 0;
  };
  struct Shard {
    model::KeyspaceId keyspace;
    std::vector<Kept> kept;
    uint64_t last_s = 0;
    // Of the second that ends.
    std::vector<const Sample*> drawn;
    size_t seen = 0;
    double weight = 0;
  };

  void Draw(Shard& shard, const Sample& sample);
  void Keep(Shard& shard);

  Prng prng_;
  uint64_t now_s_ = 0;
  std::map<model::ShardId, Shard> shards_;
};

}  // namespace sluice::heat
