#include "route/map_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/prng.h"
#include "route/topology_codec.h"
#include "route/world_test.h"

namespace sluice::route {
namespace {

using ::testing::HasSubstr;

TopologyContent Content() {
  TopologyContent content =
      PlaceOnLanes(Accepted({},
                            "[keyspace.likes]\nkey = \"likes:{post_id}\"\nshards = 3\n"
                            "[keyspace.visits]\nkey = \"visit:{country}:{n}\"\n"
                            "shard = \"geo(country) then range(n)\"\n"
                            "regions = { IN = { shards = 1 }, EU = { shards = 1 } }\n")
                       .content,
                   2);
  content.version = 1;
  return content;
}

std::string RandomToken(Prng& prng) {
  std::string token;
  for (int i = 0; i < 8; ++i) token.push_back(static_cast<char>(prng()));
  return token;
}

// Goal:   whatever is split, merged and moved, the map stays one: each token has one shard, no
//         identity is given twice, what retired is remembered with its range, and the bytes of the
//         topology carry all of it.
// Method: random changes, one after the other; each result is checked, encoded and decoded.
TEST(MapChange, AnyChangesLeaveASoundMap) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Prng prng(seed);
    TopologyContent now = Content();
    std::vector<model::Lineage> lineages;
    for (const model::Shard& shard : now.map->shards()) lineages.push_back(shard.lineage);
    size_t changed = 0;
    for (int round = 0; round < 60; ++round) {
      const auto& shards = now.map->shards();
      const size_t i = prng.Below(shards.size());
      const auto draw = [&] { return prng(); };
      Result<TopologyContent> next = Fail(Code::kInvalid, "");
      switch (prng.Below(3)) {
        case 0:
          next = SplitShard(now, shards[i].id, RandomToken(prng), draw);
          break;
        case 1:
          next = MergeShards(now, shards[i].id, shards[(i + 1) % shards.size()].id, draw);
          break;
        default:
          next = MoveShard(now, shards[i].id, model::LaneId(static_cast<uint16_t>(prng.Below(2))));
      }
      if (!next.has_value()) continue;
      ++changed;
      EXPECT_EQ(next->map->epoch(), now.map->epoch().Next());
      for (const model::Shard& shard : next->map->shards()) {
        const auto known = std::find(lineages.begin(), lineages.end(), shard.lineage);
        const auto before = FindShard(*now.map, shard.id);
        if (before.has_value()) {
          EXPECT_NE(known, lineages.end());
          EXPECT_GE(shard.epoch, now.map->shards()[*before].epoch);
        } else {
          EXPECT_EQ(known, lineages.end()) << "a lineage was given twice";
          lineages.push_back(shard.lineage);
        }
      }
      for (const model::Shard& shard : shards) {
        const bool lives = FindShard(*next->map, shard.id).has_value();
        const auto& retired = next->map->retired();
        const bool left = std::any_of(retired.begin(), retired.end(), [&](const auto& was) {
          return was.id == shard.id && was.begin == shard.begin && was.end == shard.end &&
                 was.lineage == shard.lineage;
        });
        EXPECT_NE(lives, left) << "shard " << shard.id.value;
      }
      const auto read = DecodeTopology(EncodeTopology(*next));
      ASSERT_TRUE(read.has_value()) << read.error().message;
      EXPECT_EQ(EncodeTopology(*read), EncodeTopology(*next));
      now = *read;
    }
    EXPECT_GT(changed, 5u);
  }
}

// Goal:   a shard knows where else its producers' numbers may lie: wherever a shard began that ever
//         held a part of its range.
// Method: random splits and merges of one keyspace; compared with a list of all shards there were.
TEST(MapChange, FormerBeginsAreThoseOfAllThatHeldAPart) {
  Prng prng(7);
  TopologyContent now = Content();
  for (int round = 0; round < 200; ++round) {
    const auto [first, last] = now.map->OfKeyspace(model::KeyspaceId(1));
    const size_t i = first + prng.Below(last - first);
    const auto draw = [&] { return prng(); };
    const auto& shards = now.map->shards();
    const size_t with = std::min(i + 1, last - 1);
    TopologyContent together = now;
    if (shards[i].lane != shards[with].lane) {
      together = *MoveShard(now, shards[with].id, shards[i].lane);
    }
    auto next = prng.OneIn(2) ? SplitShard(now, shards[i].id, RandomToken(prng), draw)
                              : MergeShards(together, shards[i].id, shards[with].id, draw);
    if (next.has_value()) now = *next;
    for (size_t s = 0; s < now.map->shards().size(); ++s) {
      const model::Shard& shard = now.map->shards()[s];
      std::set<std::string> expected;
      for (const model::RetiredShard& was : now.map->retired()) {
        const bool meets = was.keyspace == shard.keyspace &&
                           (shard.end.empty() || was.begin < shard.end) &&
                           (was.end.empty() || shard.begin < was.end);
        if (meets && was.begin != shard.begin) expected.insert(was.begin);
      }
      const auto former = now.map->FormerBegins(s);
      EXPECT_EQ(std::set<std::string>(former.begin(), former.end()), expected);
      EXPECT_EQ(former.size(), expected.size());
    }
  }
  EXPECT_GT(now.map->retired().size(), 50u);
}

// Goal:   what cannot be is refused, with the reason.
TEST(MapChange, RefusesWhatCannotBe) {
  const TopologyContent now = Content();
  const auto& shards = now.map->shards();
  const auto draw = [] { return uint64_t{77}; };
  const auto why = [](const Result<TopologyContent>& result) {
    EXPECT_FALSE(result.has_value());
    return result.has_value() ? std::string() : result.error().message;
  };
  const auto [likes, end] = now.map->OfKeyspace(now.catalogue[1].id);
  ASSERT_LT(likes + 1, end);
  EXPECT_THAT(why(SplitShard(now, model::ShardId(999), "a", draw)), HasSubstr("no shard 999"));
  EXPECT_THAT(why(SplitShard(now, shards[likes].id, shards[likes].begin, draw)),
              HasSubstr("would be empty"));
  EXPECT_THAT(why(SplitShard(now, shards[likes].id, shards[likes].end, draw)),
              HasSubstr("would be empty"));
  EXPECT_THAT(why(MergeShards(now, shards[likes].id, shards[likes].id, draw)),
              HasSubstr("no neighbours"));
  EXPECT_THAT(why(MergeShards(now, shards[likes - 1].id, shards[likes].id, draw)),
              HasSubstr("no neighbours"));
  const size_t in = now.map->shards().size() - 2;
  ASSERT_NE(shards[in].region, shards[in + 1].region);
  EXPECT_THAT(why(MergeShards(now, shards[in].id, shards[in + 1].id, draw)),
              HasSubstr("different regions"));
  EXPECT_THAT(why(MoveShard(now, shards[0].id, shards[0].lane)), HasSubstr("already"));
}

// Goal:   lanes are kept over a restart, and dealt anew when there are others.
TEST(MapChange, LanesAreKeptAsLongAsThereAreAsMany) {
  const TopologyContent now = Content();
  const auto& shards = now.map->shards();
  const TopologyContent moved = *MoveShard(now, shards[0].id, model::LaneId(1));
  EXPECT_EQ(EncodeTopology(PlaceOnLanes(moved, 2)), EncodeTopology(moved));
  for (const uint16_t lanes : {1, 3, 5}) {
    const TopologyContent other = PlaceOnLanes(moved, lanes);
    for (size_t i = 0; i < shards.size(); ++i) {
      EXPECT_EQ(other.map->shards()[i].lane.value, i % lanes);
    }
  }
}

}  // namespace
}  // namespace sluice::route
