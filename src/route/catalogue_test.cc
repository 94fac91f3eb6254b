#include "route/catalogue.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "route/matcher.h"
#include "route/topology_codec.h"
#include "route/world_test.h"

namespace sluice::route {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kLikes = "[keyspace.likes]\nkey = \"likes:{post_id}\"\nshards = 3\n";
const std::string kGeo = "[keyspace.p]\nkey = \"p:{c}:{u}\"\nshard = \"geo(c) then hash(u)\"\n";

std::string Refusal(const TopologyContent& now, const std::string& toml) {
  const auto change = ReconcileText(now, toml);
  return change ? "(accepted)" : change.error().message;
}

// "name[begin,end)" of each shard of a keyspace, by hex, with its region.
std::vector<std::string> RangesOf(const TopologyContent& content, std::string_view name) {
  std::vector<std::string> ranges;
  const auto hex = [](std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(c));
    return text;
  };
  for (const model::Keyspace& keyspace : content.catalogue) {
    if (keyspace.name != name) continue;
    const auto [first, last] = content.map->OfKeyspace(keyspace.id);
    for (size_t i = first; i < last; ++i) {
      const model::Shard& shard = content.map->shards()[i];
      ranges.push_back(fmt::format("{}[{},{})", shard.region, hex(shard.begin), hex(shard.end)));
    }
  }
  return ranges;
}

// Goal:   an empty directory gets `default` with id 0 and 8 shards, and an identity.
TEST(Catalogue, BeginsWithDefault) {
  const CatalogueChange change = Accepted({}, "");
  EXPECT_TRUE(change.changed);
  EXPECT_TRUE(change.added.empty());
  EXPECT_TRUE(change.notes.empty());
  ASSERT_EQ(change.content.catalogue.size(), 1u);
  EXPECT_EQ(change.content.catalogue[0].name, "default");
  EXPECT_EQ(change.content.catalogue[0].id, model::KeyspaceId(0));
  EXPECT_EQ(change.content.map->shards().size(), 8u);
  EXPECT_EQ(change.content.map->epoch(), model::Epoch(1));
  EXPECT_NE(change.content.node, 0u);
  EXPECT_EQ(change.content.next_shard_id, 9u);
  std::set<uint64_t> lineages;
  for (const model::Shard& shard : change.content.map->shards()) {
    EXPECT_EQ(shard.epoch, model::Epoch(1));
    EXPECT_EQ(shard.owner, "node-1");
    lineages.insert(shard.lineage.value);
  }
  EXPECT_EQ(lineages.size(), 8u);
  EXPECT_EQ(lineages.count(0), 0u);
  EXPECT_EQ(Accepted({}, "[keyspace.default]\nshards = 3\n").content.map->shards().size(), 3u);
}

// Goal:   the same configuration a second time changes nothing.
TEST(Catalogue, IsDoneOnce) {
  const std::string toml = kLikes + kGeo + "regions = { A = { shards = 2 }, B = {} }\n";
  const CatalogueChange once = Accepted({}, toml);
  const CatalogueChange again = Accepted(once.content, toml);
  EXPECT_FALSE(again.changed);
  EXPECT_THAT(again.notes, IsEmpty());
  EXPECT_THAT(again.added, IsEmpty());
  EXPECT_EQ(EncodeTopology(again.content), EncodeTopology(once.content));
}

// Goal:   new keyspaces are added with ids and shards never used before, at the next epoch, and are
//         reported; what was there is untouched.
TEST(Catalogue, AddsKeyspaces) {
  const CatalogueChange before = Accepted({}, kLikes);
  const CatalogueChange after = Accepted(
      before.content,
      kLikes + "[keyspace.o]\nkey = \"o:{a}\"\nshard = \"range(a)\"\nsplit_points = [5, \"x\"]\n");
  EXPECT_TRUE(after.changed);
  EXPECT_THAT(after.added, ElementsAre(model::KeyspaceId(2)));
  EXPECT_EQ(after.content.map->epoch(), model::Epoch(2));
  EXPECT_EQ(RangesOf(after.content, "likes"), RangesOf(before.content, "likes"));
  EXPECT_THAT(RangesOf(after.content, "o"),
              ElementsAre("[,010135ff)", "[010135ff,02780001)", "[02780001,)"));
  std::set<uint32_t> ids;
  for (const model::Shard& shard : after.content.map->shards()) ids.insert(shard.id.value);
  EXPECT_EQ(ids.size(), 8u + 3u + 3u);
  EXPECT_EQ(after.content.next_shard_id, 15u);
  const model::Keyspace& added = after.content.catalogue.back();
  EXPECT_TRUE(Matches(added, "o:1"));
  EXPECT_FALSE(Matches(added, "o:1:2"));
  EXPECT_FALSE(Matches(after.content.catalogue[0], "o:1"));
}

// Goal:   geo shards cover all tokens: the first begins at the empty token, each region ends where
//         the next begins, and a region added later takes the upper end.
TEST(Catalogue, CoversTokensBetweenRegions) {
  const CatalogueChange one = Accepted({}, kGeo + "regions = { B = { shards = 2 }, A = {} }\n");
  EXPECT_THAT(RangesOf(one.content, "p"),
              ElementsAre("B[,00018000000000000000)", "B[00018000000000000000,0002)", "A[0002,)"));
  const CatalogueChange two = Accepted(
      one.content, kGeo + "regions = { AA = { shards = 2 }, B = { shards = 2 }, A = {} }\n");
  EXPECT_TRUE(two.changed);
  EXPECT_THAT(
      RangesOf(two.content, "p"),
      ElementsAre("B[,00018000000000000000)", "B[00018000000000000000,0002)", "A[0002,0003)",
                  "AA[0003,00038000000000000000)", "AA[00038000000000000000,)"));
  EXPECT_THAT(two.notes, IsEmpty());
  const std::string ranges =
      "[keyspace.r]\nkey = \"r:{c}:{u}\"\nshard = \"geo(c) then range(u)\"\n"
      "regions = { A = { split_points = [7] }, B = { split_points = [\"x\"] } }\n";
  EXPECT_THAT(RangesOf(Accepted({}, ranges).content, "r"),
              ElementsAre("A[,0001010137ff)", "A[0001010137ff,0002)", "B[0002,000202780001)",
                          "B[000202780001,)"));
}

// Goal:   what is baked into stored keys cannot change, and the error names the setting.
TEST(Catalogue, RefusesChangesOfWhatIsBaked) {
  const TopologyContent likes = Accepted({}, kLikes).content;
  const std::string shard = "[keyspace.likes]\nkey = \"likes:{post_id}\"\nshards = 3\n";
  EXPECT_THAT(Refusal(likes, "[keyspace.likes]\nkey = \"like:{post_id}\"\n"),
              HasSubstr("keyspace.likes.key = \"like:{post_id}\" cannot change: the keyspace was "
                        "made with \"likes:{post_id}\""));
  EXPECT_THAT(Refusal(likes, "[keyspace.likes]\nkey = \"likes:{post_id}:{x}\"\n"),
              HasSubstr("keyspace.likes.key"));
  EXPECT_THAT(Refusal(likes, shard + "shard = \"range(post_id)\"\nsplit_points = [1, 2]\n"),
              HasSubstr("keyspace.likes.shard = \"range(post_id)\" cannot change"));
  EXPECT_THAT(
      Refusal(likes, "[keyspace.other]\nkey = \"likes:{id}\"\n"),
      HasSubstr("keyspace.other.key = \"likes:{id}\" can match keys of stored keyspace likes "
                "(\"likes:{post_id}\"), for example likes:1"));
  const std::string two = "[keyspace.o]\nkey = \"o:{a}:{b}\"\nshard = ";
  const TopologyContent pair = Accepted({}, two + "\"hash(a, b)\"\n").content;
  EXPECT_THAT(Refusal(pair, two + "\"hash(b, a)\"\n"), HasSubstr("keyspace.o.shard"));
  EXPECT_THAT(Refusal(pair, two + "\"hash(a)\"\n"), HasSubstr("keyspace.o.shard"));
  EXPECT_EQ(Refusal(pair, two + "\"hash( a,b )\"\n"), "(accepted)");
  EXPECT_EQ(Refusal(pair, "[keyspace.o]\nkey = \"o:{x}:{y}\"\nshard = \"hash(x, y)\"\n"),
            "(accepted)");
}

// Goal:   a value whose keys may be stored keeps its region; one that was refused may get one.
// Method: every kind of change of regions.
TEST(Catalogue, KeepsValuesInTheirRegions) {
  const std::string regions = "regions = { A = { match = [\"x\", \"y\"] }, B = { } }\n";
  const TopologyContent strict = Accepted({}, kGeo + regions).content;
  const TopologyContent loose = Accepted({}, kGeo + regions + "unknown_region = \"B\"\n").content;
  const auto with = [](std::string_view text) { return kGeo + std::string(text); };

  EXPECT_THAT(Refusal(strict, with("regions = { A = { match = [\"x\", \"y\"] } }")),
              HasSubstr("keyspace.p.regions: region B is stored and cannot be taken out"));
  EXPECT_THAT(Refusal(strict, with("regions = { A = { match = [\"x\"] }, B = { } }")),
              HasSubstr("keyspace.p.regions: \"y\" cannot leave region A"));
  EXPECT_THAT(Refusal(strict, with("regions = { A = { match = [\"x\"] }, B = { match = [\"B\", "
                                   "\"y\"] } }")),
              HasSubstr("\"y\" cannot leave region A"));
  EXPECT_EQ(Refusal(strict, with("regions = { A = { match = [\"x\", \"y\", \"z\"] }, B = { } }")),
            "(accepted)");
  EXPECT_EQ(Refusal(strict, with(regions + "unknown_region = \"A\"")), "(accepted)");
  EXPECT_EQ(Refusal(strict, with("regions = { A = { match = [\"x\", \"y\"] }, B = { }, C = { } }")),
            "(accepted)");

  EXPECT_THAT(Refusal(loose, with(regions)), HasSubstr("keyspace.p.unknown_region cannot change"));
  EXPECT_THAT(Refusal(loose, with(regions + "unknown_region = \"A\"")),
              HasSubstr("keyspace.p.unknown_region cannot change"));
  EXPECT_THAT(Refusal(loose, with("regions = { A = { match = [\"x\", \"y\"] }, B = { }, C = { } }\n"
                                  "unknown_region = \"B\"")),
              HasSubstr("\"C\" cannot leave region B"));
  EXPECT_EQ(Refusal(loose, with("regions = { A = { match = [\"x\", \"y\"] }, B = { match = [\"B\", "
                                "\"z\"] } }\nunknown_region = \"B\"")),
            "(accepted)");
}

// Goal:   what may change does: tags, added values and policies reach the catalogue.
TEST(Catalogue, TakesOverWhatMayChange) {
  const TopologyContent before =
      Accepted({}, kGeo + "regions = { A = { match = [\"x\"] } }\n").content;
  const CatalogueChange after =
      Accepted(before, kGeo +
                           "ack = \"memory\"\nttl = \"5s\"\nappend_only = true\n"
                           "regions = { A = { match = [\"x\", \"y\"], tag = \"t\" } }\n"
                           "unknown_region = \"A\"\n");
  EXPECT_TRUE(after.changed);
  const model::Keyspace& keyspace = after.content.catalogue[1];
  EXPECT_THAT(keyspace.regions[0].match, ElementsAre("x", "y"));
  EXPECT_EQ(keyspace.regions[0].tag, "t");
  EXPECT_EQ(keyspace.unknown_region, "A");
  EXPECT_EQ(after.policies[1].ack, model::Ack::kMemory);
  EXPECT_EQ(after.policies[1].ttl_ms, 5'000u);
  EXPECT_TRUE(after.policies[1].append_only);
  EXPECT_EQ(RangesOf(after.content, "p"), RangesOf(before, "p"));
}

// Goal:   a count of shards that comes too late is noted and ignored.
TEST(Catalogue, NotesShardsWithoutEffect) {
  const TopologyContent before = Accepted({}, kLikes).content;
  const CatalogueChange after =
      Accepted(before, "[keyspace.likes]\nkey = \"likes:{post_id}\"\nshards = 5\n");
  EXPECT_FALSE(after.changed);
  EXPECT_THAT(after.notes, ElementsAre(HasSubstr("keyspace.likes.shards = 5 has no effect")));
}

// Goal:   a keyspace that is no longer configured stays, routed as ever, with the default policy;
//         configured again it is as before.
TEST(Catalogue, KeepsWhatIsNoLongerConfigured) {
  const CatalogueChange before = Accepted({}, kLikes + "ack = \"memory\"\n");
  const CatalogueChange after = Accepted(before.content, "");
  EXPECT_FALSE(after.changed);
  EXPECT_THAT(after.notes, ElementsAre(HasSubstr("keyspace likes (\"likes:{post_id}\") is stored "
                                                 "and not configured")));
  const auto router = RouterOf(after);
  std::string token;
  const auto placed = router->Place("likes:7", &token);
  EXPECT_EQ(placed->keyspace->name, "likes");
  EXPECT_EQ(placed->policy.ack, model::Ack::kDurable);
  EXPECT_THAT(Accepted(after.content, kLikes).added, IsEmpty());
}

// Goal:   every sequence of configurations leaves a topology that can be stored, read back and
//         served, in which ids and region numbers are never given out twice.
// Method: random steps that add keyspaces and regions, in random order of names.
TEST(Catalogue, GrowsInAnyOrder) {
  Prng prng(5);
  for (int world = 0; world < 30; ++world) {
    TopologyContent now;
    std::set<std::string> keyspaces;
    std::set<std::string> regions = {"R0"};
    std::set<std::pair<uint16_t, std::string>> seen;  // region number and name
    std::set<std::pair<uint32_t, uint64_t>> shards;   // id and lineage
    for (int step = 0; step < 8; ++step) {
      keyspaces.insert(fmt::format("k{}", prng.Below(20)));
      regions.insert(fmt::format("R{}", prng.Below(9)));
      std::string toml = kGeo + "regions = { ";
      for (const std::string& region : regions) {
        toml += fmt::format("{}{} = {{ shards = {} }}", region == *regions.begin() ? "" : ", ",
                            region, 1 + prng.Below(3));
      }
      toml += " }\n";
      for (const std::string& name : keyspaces) {
        toml += fmt::format("[keyspace.{}]\nkey = \"{}:{{a}}\"\nshards = 2\n", name, name);
      }
      const auto change = ReconcileText(now, toml, world * 100 + step);
      ASSERT_TRUE(change.has_value()) << change.error().message;
      TopologyContent stored = change->content;
      ++stored.version;
      const auto read = DecodeTopology(EncodeTopology(stored));
      ASSERT_TRUE(read.has_value()) << read.error().message;
      now = *read;
      const auto router = RouterOf(*change);
      std::string token;
      for (const std::string& region : regions) {
        const auto placed = router->Place(fmt::format("p:{}:1", region), &token);
        ASSERT_EQ(router->map().shards()[placed->shard].region, region);
      }
      for (const model::Keyspace& keyspace : now.catalogue) {
        for (const model::Region& region : keyspace.regions)
          seen.emplace(region.number, region.name);
      }
      for (const model::Shard& shard : now.map->shards()) {
        shards.emplace(shard.id.value, shard.lineage.value);
      }
    }
    EXPECT_EQ(seen.size(), regions.size());
    EXPECT_EQ(shards.size(), now.map->shards().size());
    EXPECT_EQ(now.next_shard_id, shards.size() + 1);
  }
}

}  // namespace
}  // namespace sluice::route
