#include "route/router.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/allocations_test.h"
#include "route/token.h"
#include "route/world_test.h"

namespace sluice::route {
namespace {

constexpr std::string_view kToml = R"toml(
[keyspace.likes]
key = "likes:{post_id}"
shards = 3
ack = "memory"
[keyspace.orders]
key = "order:{customer}:{order}"
shard = "range(customer, order)"
split_points = ["100", ["200", "5"], "x"]
ttl = "1h"
[keyspace.profiles]
key = "profile:{country}:{user}"
shard = "geo(country) then hash(user)"
regions = { IN = { shards = 2 }, EU = { match = ["DE", "FR"], shards = 3, tag = "eu" } }
[keyspace.visits]
key = "visit:{country}:{day}"
shard = "geo(country) then range(day)"
regions = { IN = { split_points = [20250101] }, EU = { match = ["DE", "FR"] } }
unknown_region = "EU"
)toml";

std::string RandomKey(Prng& prng) {
  const char* countries[] = {"IN", "DE", "FR", "US", "I"};
  switch (prng.Below(6)) {
    case 0:
      return fmt::format("likes:{}", prng.Below(100'000));
    case 1:
      return fmt::format("order:{}:{}", prng.Below(300), prng.OneIn(5) ? "x" : "7");
    case 2:
      return fmt::format("profile:{}:{}", countries[prng.Below(3)], prng());
    case 3:
      return fmt::format("visit:{}:{}", countries[prng.Below(5)], 20240000 + prng.Below(20'000));
    case 4:
      return fmt::format("other:{{{}}}:{}", prng.Below(50), prng());
    default: {
      std::string key;
      for (uint64_t n = prng.Below(20); n > 0; --n) key += static_cast<char>(prng());
      return key;
    }
  }
}

// Goal:   each key goes to the keyspace of its template, with its policy, and to the one shard that
//         owns its token; at every epoch.
// Method: random keys of each kind through a map that is split again and again; every shard is
//         asked whether it owns the token.
TEST(Router, EveryKeyHasOneShardAtEveryEpoch) {
  CatalogueChange change = Accepted({}, kToml);
  Prng prng(1);
  for (uint32_t epoch = 1; epoch <= 30; ++epoch) {
    const auto router = RouterOf(change);
    std::string token;
    for (int i = 0; i < 2'000; ++i) {
      const std::string key = RandomKey(prng);
      const auto placed = router->Place(key, &token);
      ASSERT_TRUE(placed.has_value()) << key << placed.error().message;
      const std::string name = key.starts_with("likes:") && key.size() > 6 ? "likes"
                               : key.starts_with("order:")                 ? "orders"
                               : key.starts_with("profile:")               ? "profiles"
                               : key.starts_with("visit:")                 ? "visits"
                                                                           : "default";
      ASSERT_EQ(placed->keyspace->name, name) << key;
      ASSERT_EQ(placed->policy, router->policy(placed->keyspace->id));
      ASSERT_EQ(model::TokenSize(*placed->keyspace, token), token.size());
      size_t owners = 0;
      for (const model::Shard& shard : router->map().shards()) {
        const bool owns = shard.keyspace == placed->keyspace->id && token >= shard.begin &&
                          (shard.end.empty() || token < shard.end);
        owners += owns ? 1 : 0;
        ASSERT_TRUE(!owns || &shard == &router->map().shards()[placed->shard]);
      }
      ASSERT_EQ(owners, 1u) << key;
    }
    // Split the shard that owns the last token, there.
    std::vector<model::Shard> shards = router->map().shards();
    for (size_t i = 0; i < shards.size(); ++i) {
      const auto placed = router->Place(RandomKey(prng), &token);
      model::Shard& lower = shards[placed->shard];
      if (lower.begin == token) continue;
      model::Shard upper = lower;
      upper.id = model::ShardId(change.content.next_shard_id++);
      lower.end = upper.begin = token;
      shards.push_back(upper);
      break;
    }
    change.content.map = *model::ShardMap::Make(model::Epoch(epoch + 1), shards);
  }
}

// Goal:   policies are those of the configuration.
TEST(Router, KnowsPoliciesAndKeyspaces) {
  const auto router = RouterOf(kToml);
  EXPECT_EQ(router->policy(router->FindKeyspace("likes")->id).ack, model::Ack::kMemory);
  EXPECT_EQ(router->policy(router->FindKeyspace("orders")->id).ttl_ms, 3'600'000u);
  EXPECT_EQ(router->policy(model::KeyspaceId(0)).ack, model::Ack::kDurable);
  EXPECT_EQ(router->FindKeyspace("nothing"), nullptr);
  EXPECT_EQ(router->FindKeyspace("default")->id, model::KeyspaceId(0));
  for (const model::Keyspace& keyspace : router->keyspaces()) {
    EXPECT_EQ(&router->keyspace(keyspace.id), &keyspace);
  }
}

// Goal:   range shards begin where they were cut, at the point itself.
TEST(Router, RangeShardsBeginAtTheirSplitPoints) {
  const auto router = RouterOf(kToml);
  std::string token;
  const auto shard = [&](std::string_view key) {
    const auto placed = router->Place(key, &token);
    return placed->shard - router->map().OfKeyspace(placed->keyspace->id).first;
  };
  EXPECT_EQ(shard("order:0:0"), 0u);
  EXPECT_EQ(shard("order:99:zzz"), 0u);
  EXPECT_EQ(shard("order:100:0"), 1u);
  EXPECT_EQ(shard("order:200:4"), 1u);
  EXPECT_EQ(shard("order:200:5"), 2u);
  EXPECT_EQ(shard("order:99999999999999999999:0"), 2u);
  EXPECT_EQ(shard("order:w:0"), 2u);
  EXPECT_EQ(shard("order:x:0"), 3u);
  EXPECT_EQ(shard("visit:IN:20250100"), 0u);
  EXPECT_EQ(shard("visit:IN:20250101"), 1u);
  EXPECT_EQ(shard("visit:DE:1"), 2u);
  EXPECT_EQ(shard("visit:US:1"), 2u);
}

// Goal:   geo keys lie in shards of their region; unknown ones are refused, or go where asked.
TEST(Router, KeepsRegionsApart) {
  const auto router = RouterOf(kToml);
  Prng prng(3);
  std::string token;
  for (int i = 0; i < 1'000; ++i) {
    const bool in = prng.OneIn(2);
    const auto placed =
        router->Place(fmt::format("profile:{}:{}", in ? "IN" : "FR", prng()), &token);
    ASSERT_EQ(router->map().shards()[placed->shard].region, in ? "IN" : "EU");
  }
  EXPECT_EQ(router->map().shards()[router->Place("visit:XX:1", &token)->shard].region, "EU");
  const auto refused = router->Place("profile:XX:1", &token);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().message,
            "REGION unknown region \"XX\" in keyspace profiles; nothing was applied");
  EXPECT_EQ(router->Place("profile:in:1", &token).error().message.substr(0, 6), "REGION");
  EXPECT_EQ(router->Place("profile:\"\r\n:1", &token).error().message,
            "REGION unknown region \"\\x22\\x0d\\x0a\" in keyspace profiles; nothing was applied");
  const std::string longest = "profile:" + std::string(50'000, 'x') + ":1";
  EXPECT_LT(router->Place(longest, &token).error().message.size(), 200u);
}

// Goal:   SLUICE ROUTE has the segments of a key.
TEST(Router, NamesSegments) {
  const auto router = RouterOf(kToml);
  const auto segments = router->SegmentsOf("order:7:abc");
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[0].name, "customer");
  EXPECT_EQ(segments[0].value, "7");
  EXPECT_EQ(segments[1].name, "order");
  EXPECT_EQ(segments[1].value, "abc");
  EXPECT_TRUE(router->SegmentsOf("order:7").empty());
}

// Goal:   keys with one {tag} share a shard of `default`.
TEST(Router, TagsShareAShard) {
  const auto router = RouterOf("[keyspace.default]\nshards = 64\n");
  std::string token, other;
  std::set<size_t> seen;
  for (int i = 0; i < 500; ++i) {
    const auto a = router->Place(fmt::format("a{{{}}}", i), &token);
    const auto b = router->Place(fmt::format("b:{{{}}}:c", i), &other);
    ASSERT_EQ(token, other);
    ASSERT_EQ(a->shard, b->shard);
    seen.insert(a->shard);
  }
  EXPECT_GT(seen.size(), 60u);
}

// Goal:   placing a key allocates nothing.
// Method: every kind of key, a token with room, and a count of allocations.
TEST(Router, PlacesWithoutAllocating) {
  const auto router = RouterOf(kToml);
  Prng prng(4);
  std::vector<std::string> keys;
  for (int i = 0; i < 2'000; ++i) keys.push_back(RandomKey(prng));
  std::string token;
  token.reserve(256);
  const uint64_t before = Allocations();
  size_t sum = 0;
  for (const std::string& key : keys) sum += router->Place(key, &token)->shard;
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_GT(sum, 0u);
}

// Goal:   a thousand keyspaces with like names are told apart.
// Method: templates that are each other's beginnings; a key of each.
TEST(Router, FindsOneOfManyKeyspaces) {
  std::string toml;
  for (int i = 0; i < 1'000; ++i) {
    toml += fmt::format("[keyspace.k{}]\nkey = \"app:{}:{{x}}\"\nshards = 1\n", i, i);
  }
  const auto router = RouterOf(toml);
  std::string token;
  for (int i = 0; i < 1'000; ++i) {
    const auto placed = router->Place(fmt::format("app:{}:7", i), &token);
    ASSERT_EQ(placed->keyspace->name, fmt::format("k{}", i));
  }
  EXPECT_EQ(router->Place("app:1000:7", &token)->keyspace->name, "default");
}

}  // namespace
}  // namespace sluice::route
