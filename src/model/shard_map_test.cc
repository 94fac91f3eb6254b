#include "model/shard_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/prng.h"

namespace sluice::model {
namespace {

// Tokens that share beginnings of 0 to 10 bytes, so that comparing heads alone is never enough.
std::string RandomToken(Prng& prng) {
  std::string token(prng.Below(4) * 3, static_cast<char>(prng.Below(2)));
  for (uint64_t n = prng.Below(4); n > 0; --n) {
    token += static_cast<char>(prng.OneIn(4) ? prng.Below(256) : prng.Below(3));
  }
  return token;
}

std::vector<Shard> RandomShards(Prng& prng, KeyspaceId keyspace, size_t most, uint32_t* next_id) {
  std::vector<std::string> cuts = {""};
  for (uint64_t n = prng.Below(most); n > 0; --n) cuts.push_back(RandomToken(prng));
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::vector<Shard> shards;
  for (size_t i = 0; i < cuts.size(); ++i) {
    Shard shard;
    shard.id = ShardId((*next_id)++);
    shard.keyspace = keyspace;
    shard.begin = cuts[i];
    shard.end = i + 1 < cuts.size() ? cuts[i + 1] : "";
    shards.push_back(shard);
  }
  return shards;
}

bool Owns(const Shard& shard, std::string_view token) {
  return token >= shard.begin && (shard.end.empty() || token < shard.end);
}

// Every shard that owns the token, by looking at all; the map's answer must be the only one.
void ExpectOneOwner(const ShardMap& map, KeyspaceId keyspace, const std::string& token) {
  size_t owners = 0, owner = 0;
  for (size_t i = 0; i < map.shards().size(); ++i) {
    if (map.shards()[i].keyspace != keyspace || !Owns(map.shards()[i], token)) continue;
    ++owners;
    owner = i;
  }
  ASSERT_EQ(owners, 1u);
  ASSERT_EQ(map.Find(keyspace, token), owner);
}

// Cuts a random shard in two where a random token lies inside it, or joins two neighbours.
void Change(Prng& prng, std::vector<Shard>& shards, uint32_t* next_id) {
  const size_t at = prng.Below(shards.size());
  Shard& shard = shards[at];
  if (prng.OneIn(3)) {
    const auto next = std::find_if(shards.begin(), shards.end(), [&](const Shard& other) {
      return other.keyspace == shard.keyspace && !shard.end.empty() && other.begin == shard.end;
    });
    if (next == shards.end()) return;
    shard.end = next->end;
    shards.erase(next);
    return;
  }
  const std::string token = RandomToken(prng);
  if (token == shard.begin || token.empty() || !Owns(shard, token)) return;
  Shard upper = shard;
  upper.id = ShardId((*next_id)++);
  upper.begin = shard.end.empty() || token < shard.end ? token : shard.end;
  shard.end = token;
  shards.push_back(upper);
}

// Goal:   every token has exactly one shard, at every epoch.
// Method: random maps of several keyspaces, changed by random splits and merges; at each epoch
//         random tokens and every cut, with its neighbours, are looked up and counted.
TEST(ShardMap, EveryTokenHasOneShardAtEveryEpoch) {
  Prng prng(1);
  for (int world = 0; world < 60; ++world) {
    uint32_t next_id = 1;
    std::vector<Shard> shards;
    const uint16_t keyspaces = static_cast<uint16_t>(1 + prng.Below(4));
    for (uint16_t i = 0; i < keyspaces; ++i) {
      // Ids with holes: keyspaces come and go.
      const auto more = RandomShards(prng, KeyspaceId(i * 3), 20, &next_id);
      shards.insert(shards.end(), more.begin(), more.end());
    }
    for (uint32_t epoch = 1; epoch <= 20; ++epoch) {
      std::shuffle(shards.begin(), shards.end(), prng);
      const auto map = ShardMap::Make(Epoch(epoch), shards);
      ASSERT_TRUE(map.has_value()) << map.error().message;
      EXPECT_EQ((*map)->epoch(), Epoch(epoch));
      for (const Shard& shard : shards) {
        ExpectOneOwner(**map, shard.keyspace, shard.begin);
        ExpectOneOwner(**map, shard.keyspace, shard.begin + '\0');
        if (!shard.begin.empty()) {
          ExpectOneOwner(**map, shard.keyspace, shard.begin.substr(0, shard.begin.size() - 1));
        }
      }
      for (int i = 0; i < 20; ++i) {
        ExpectOneOwner(**map, KeyspaceId(static_cast<uint16_t>(prng.Below(keyspaces) * 3)),
                       RandomToken(prng));
      }
      Change(prng, shards, &next_id);
    }
  }
}

// Goal:   shards() is by keyspace and begin, and OfKeyspace says where each keyspace's lie.
TEST(ShardMap, GroupsByKeyspace) {
  Prng prng(2);
  uint32_t next_id = 1;
  std::vector<Shard> shards;
  for (const uint16_t id : {7, 0, 3}) {
    const auto more = RandomShards(prng, KeyspaceId(id), 9, &next_id);
    shards.insert(shards.end(), more.begin(), more.end());
  }
  const auto map = *ShardMap::Make(Epoch(1), shards);
  size_t seen = 0;
  for (const uint16_t id : {0, 3, 7}) {
    const auto [first, last] = map->OfKeyspace(KeyspaceId(id));
    EXPECT_EQ(first, seen);
    for (size_t i = first; i < last; ++i) EXPECT_EQ(map->shards()[i].keyspace, KeyspaceId(id));
    seen = last;
  }
  EXPECT_EQ(seen, shards.size());
  for (const uint16_t id : {1, 2, 8, 65535}) {
    const auto [first, last] = map->OfKeyspace(KeyspaceId(id));
    EXPECT_EQ(first, last) << id;
  }
}

// Goal:   a map with a gap, an overlap or a missing end is refused.
// Method: break one edge of a sound map in every way.
TEST(ShardMap, RefusesGapsAndOverlaps) {
  const auto sound = [] {
    std::vector<Shard> shards(3);
    for (uint32_t i = 0; i < 3; ++i) shards[i].id = ShardId(i + 1);
    shards[0].end = shards[1].begin = "f";
    shards[1].end = shards[2].begin = "m";
    return shards;
  };
  EXPECT_TRUE(ShardMap::Make(Epoch(1), sound()).has_value());
  EXPECT_TRUE(ShardMap::Make(Epoch(1), {}).has_value());
  for (size_t i = 0; i < 3; ++i) {
    for (const char* edge : {"", "a", "g", "z"}) {
      auto begin = sound(), end = sound();
      if (begin[i].begin != edge) {
        begin[i].begin = edge;
        EXPECT_FALSE(ShardMap::Make(Epoch(1), begin).has_value()) << i << " begins at " << edge;
      }
      if (end[i].end != edge) {
        end[i].end = edge;
        EXPECT_FALSE(ShardMap::Make(Epoch(1), end).has_value()) << i << " ends at " << edge;
      }
    }
    auto missing = sound();
    missing.erase(missing.begin() + static_cast<long>(i));
    EXPECT_FALSE(ShardMap::Make(Epoch(1), missing).has_value());
    auto doubled = sound();
    doubled.push_back(doubled[i]);
    EXPECT_FALSE(ShardMap::Make(Epoch(1), doubled).has_value());
  }
}

// Goal:   even cuts are in order and differ in width by at most one.
TEST(ShardMap, CutsHashesEvenly) {
  EXPECT_EQ(EvenHashCut(0, 1), "");
  for (uint32_t n = 2; n <= 4096; n = n < 20 ? n + 1 : n * 2) {
    EXPECT_EQ(EvenHashCut(0, n), "");
    uint64_t last = 0, least = ~uint64_t{0}, most = 0;
    for (uint32_t i = 1; i < n; ++i) {
      const uint64_t cut = LoadBe64(EvenHashCut(i, n).data());
      ASSERT_GT(cut, last);
      least = std::min(least, cut - last);
      most = std::max(most, cut - last);
      last = cut;
    }
    EXPECT_LE(std::max(most, ~last + 1) - std::min(least, ~last + 1), 1u) << n;
  }
}

}  // namespace
}  // namespace sluice::model
