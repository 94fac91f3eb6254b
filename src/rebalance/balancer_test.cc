// What the balancer says in single situations, the worked examples among them.
#include "rebalance/balancer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rebalance/kit_test.h"

namespace sluice::rebalance {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// Cells of equal load, `writes` in all, cut evenly into shards that owners take in turn.
World Even(size_t cells, double writes, size_t shards, size_t owners, double owner_capacity) {
  World world;
  world.cells.assign(cells, writes / static_cast<double>(cells));
  for (size_t i = 0; i < owners; ++i) {
    world.owners.push_back({"lane" + std::to_string(i), {}, owner_capacity});
  }
  for (size_t i = 0; i < shards; ++i) {
    world.AddShard(i * cells / shards, (i + 1) * cells / shards, i % owners);
  }
  world.settings.jobs = 8;
  return world;
}

const Warning* Find(const Decision& decision, Trouble trouble) {
  for (const Warning& each : decision.warnings) {
    if (each.trouble == trouble) return &each;
  }
  return nullptr;
}

TEST(WorkedExamples, EAShardAtTwiceItsLimitIsSplitInTwo) {
  World world = Even(256, 24'000, 1, 1, 1e6);
  world.keyspace.split_at = 1;
  const Decision decision = Decide(world.Look(), world.settings);
  ASSERT_EQ(decision.proposals.size(), 1u);
  EXPECT_EQ(decision.proposals[0].kind, Kind::kSplit);
  EXPECT_THAT(
      decision.proposals[0].reason,
      AllOf(HasSubstr("shard 1 of likes takes 24,000 writes/s"), HasSubstr("2 of 12,000 each")));
  EXPECT_THAT(decision.proposals[0].effect, HasSubstr("12,000 and 12,000 writes/s"));
}

TEST(WorkedExamples, EWithSplitAt8000ItIsSplitEarlierAtItsLoadMedian) {
  World world = Even(256, 7'999, 1, 1, 1e6);
  world.keyspace.split_at = 8'000.0 / 12'000;
  EXPECT_THAT(Decide(world.Look(), world.settings).proposals, IsEmpty());
  // Of 9,000, half falls on the first tenth of the keys.
  for (size_t cell = 0; cell < 256; ++cell) world.cells[cell] = cell < 25 ? 180 : 4'500.0 / 231;
  const Decision decision = Decide(world.Look(), world.settings);
  ASSERT_EQ(decision.proposals.size(), 1u);
  EXPECT_EQ(decision.proposals[0].token, World::Token(25)) << "the middle of the keys is 128";
  EXPECT_THAT(decision.proposals[0].effect, HasSubstr("4,500 and 4,500 writes/s"));
}

TEST(WorkedExamples, FOneSellerBesideTenIsNamedAlthoughTheMeanLooksSafe) {
  World world = Even(256, 0, 0, 11, 1e6);
  world.keyspace.capacity = 15'000;
  for (size_t i = 0; i < 11; ++i) world.AddShard(i * 23, i == 10 ? 256 : (i + 1) * 23, i);
  for (size_t i = 0; i < 11; ++i) world.cells[i * 23 + 7] = 9'500;
  world.cells[3 * 23 + 7] = 25'000;
  const Decision decision = Decide(world.Look(), world.settings);
  EXPECT_THAT(decision.proposals, IsEmpty());
  const Warning* skew = Find(decision, Trouble::kSkew);
  ASSERT_NE(skew, nullptr);
  EXPECT_EQ(skew->shard, model::ShardId(4));
  EXPECT_THAT(skew->text, AllOf(HasSubstr("25,000 writes/s and carries 15,000"),
                                HasSubstr("mean of all 11 shards is 10,909 and looks safe"),
                                HasSubstr("that of the others is 9,500")));
  const Warning* key = Find(decision, Trouble::kHotKey);
  ASSERT_NE(key, nullptr);
  EXPECT_THAT(key->text, AllOf(HasSubstr("key likes:76 alone takes 25,000 of the 25,000"),
                               HasSubstr("more shards do not help one key"),
                               HasSubstr("2 sub-keys of 12,500")));
}

// Goal:   what is known of one key goes before a cut that would look good.
// Method: a shard whose samples halve it, with a key of every share of the load; hot, and melting.
TEST(Balancer, SplitsNoShardThatIsOneKey) {
  for (const auto& [writes, most] : {std::pair{9'000.0, 80}, std::pair{12'000.0, 90}}) {
    World world = Even(256, writes, 1, 1, 1e6);
    for (int percent = 0; percent <= 100; ++percent) {
      Survey survey = world.Look();
      survey.shards[0].hottest = SurveyedHotKey{"likes:1", percent / 100.0};
      const Decision decision = Decide(survey, world.settings);
      EXPECT_EQ(decision.proposals.empty(), percent > most) << percent;
      EXPECT_EQ(Find(decision, Trouble::kHotKey) != nullptr, percent >= 50) << percent;
    }
  }
}

TEST(Balancer, TakesTheRestAwayFromAHotKeyOnce) {
  World world = Even(256, 10'000, 1, 1, 1e6);
  world.cells[100] = 15'000;
  size_t warned = 0;
  world.Run(3'600, [&](const Survey&, const Decision& decision) {
    const Warning* key = Find(decision, Trouble::kHotKey);
    warned += key != nullptr;
  });
  EXPECT_GE(warned, 360u) << "named at every look";
  for (const World::Shard& each : world.shards) {
    if (each.first <= 100 && 100 < each.last) continue;
    EXPECT_LT(world.Writes(each), 0.66 * 12'000);
  }
  EXPECT_LE(world.splits, 3u);
}

TEST(WorkedExamples, GOneKeyAt30000WantsThreeSubKeysOrFolding) {
  World world = Even(256, 1'000, 4, 4, 1e6);
  world.keyspace.shards_least = 4;
  world.cells[100] = 30'000;
  const Decision decision = Decide(world.Look(), world.settings);
  EXPECT_THAT(decision.proposals, IsEmpty());
  const Warning* key = Find(decision, Trouble::kHotKey);
  ASSERT_NE(key, nullptr);
  EXPECT_THAT(key->text, AllOf(HasSubstr("30,000 / 12,000 = 2.50: 3 sub-keys of 10,000 do"),
                               HasSubstr("folding 2.5 writes into each record")));
  EXPECT_TRUE(key->over);
}

// Goal:   what is said of a shard of which one key is much is true of that key: no split makes its
//         part smaller, and whether it fits a shard is known.
// Method: the key's writes from none to all of the shard's, around the even part and the capacity.
TEST(Balancer, PromisesNoSplitOfAKey) {
  for (int percent = 0; percent <= 80; percent += 5) {
    World world = Even(256, 20'000, 1, 1, 1e6);
    world.settings.jobs = 1;
    Survey survey = world.Look();
    survey.shards[0].hottest = SurveyedHotKey{"likes:1", percent / 100.0};
    const Decision decision = Decide(survey, world.settings);
    ASSERT_EQ(decision.proposals.size(), 1u) << percent;
    // Of 20,000 with 7,920 as the bound, 4 parts of 5,000.
    EXPECT_THAT(decision.proposals[0].reason,
                HasSubstr(percent > 25 ? fmt::format("the rest away from one key that has {},{:03}",
                                                     percent / 5, percent * 200 % 1'000)
                                       : "in the end into 4 of 5,000 each"))
        << percent;
    const Warning* key = Find(decision, Trouble::kHotKey);
    ASSERT_EQ(key != nullptr, percent >= 50);
    if (key == nullptr) continue;
    EXPECT_EQ(key->over, percent > 60) << "of 12,000";
  }
}

TEST(Balancer, NamesKeysThatGrowWithTimeAndDoesNotSplitThem) {
  World world = Even(256, 30'000, 1, 2, 1e6);
  Survey survey = world.Look();
  survey.shards[0].rising = 0.9;
  const Decision decision = Decide(survey, world.settings);
  EXPECT_THAT(decision.proposals, IsEmpty());
  const Warning* tail = Find(decision, Trouble::kTail);
  ASSERT_NE(tail, nullptr);
  EXPECT_THAT(tail->text, AllOf(HasSubstr("90.0 %"), HasSubstr("range(bucket, day)")));
}

// Goal:   nothing starts but in mode `on` and within the window; off proposes nothing and warns.
// Method: each mode, and each minute of a day for windows with and without midnight in them.
TEST(Balancer, StartsOnlyInItsModeAndItsWindow) {
  World world = Even(256, 24'000, 1, 1, 1e6);
  Settings settings = world.settings;
  EXPECT_TRUE(Decide(world.Look(), settings).start);
  settings.mode = Mode::kPreview;
  Decision decision = Decide(world.Look(), settings);
  EXPECT_FALSE(decision.start);
  EXPECT_EQ(decision.held, "preview");
  EXPECT_EQ(decision.proposals.size(), 1u);
  settings.mode = Mode::kOff;
  world.cells[0] = 50'000;
  decision = Decide(world.Look(), settings);
  EXPECT_FALSE(decision.start);
  EXPECT_THAT(decision.proposals, IsEmpty());
  EXPECT_NE(Find(decision, Trouble::kHotKey), nullptr);

  settings.mode = Mode::kOn;
  Survey survey = world.Look();
  for (const auto& [window, held] : {std::pair{Window{120, 300}, "window 02:00-05:00"},
                                     std::pair{Window{1'380, 60}, "window 23:00-01:00"}}) {
    settings.window = window;
    for (uint64_t minute = 0; minute < 1'440; ++minute) {
      survey.now_us = (20'000ULL * 1'440 + minute) * 60 * kSecondUs;
      const bool inside = window.from < window.to ? minute >= window.from && minute < window.to
                                                  : minute >= window.from || minute < window.to;
      decision = Decide(survey, settings);
      ASSERT_EQ(decision.start, inside) << held << " at minute " << minute;
      ASSERT_EQ(decision.held, inside ? "" : held);
    }
  }
}

TEST(Balancer, BringsAShardHomeToItsRegionOrSaysThatItHasNone) {
  World world = Even(256, 1'000, 0, 0, 0);
  world.keyspace.regions = {{"IN", "in", 1}, {"EU", "eu", 1}, {"US", "us", 1}};
  world.owners = {{"a", {"in"}, 1e6}, {"b", {"eu"}, 1e6}};
  world.AddShard(0, 100, 0, "IN");
  world.AddShard(100, 200, 0, "EU");
  world.AddShard(200, 256, 0, "US");
  const Decision decision = Decide(world.Look(), world.settings);
  ASSERT_EQ(decision.proposals.size(), 1u);
  EXPECT_EQ(decision.proposals[0].kind, Kind::kMove);
  EXPECT_EQ(decision.proposals[0].shard, model::ShardId(2));
  EXPECT_EQ(decision.proposals[0].to, 1u);
  EXPECT_THAT(decision.proposals[0].reason, HasSubstr("lies at a, which has no tag 'eu'"));
  const Warning* none = Find(decision, Trouble::kNoOwner);
  ASSERT_NE(none, nullptr);
  EXPECT_EQ(none->shard, model::ShardId(3));
}

TEST(Balancer, SplitsWhatIsTooLargeToBeGiven) {
  World world = Even(256, 9'500, 1, 2, 10'000);
  world.keyspace.capacity = 0;  // nothing said: only the lanes tell
  const Decision decision = Decide(world.Look(), world.settings);
  ASSERT_EQ(decision.proposals.size(), 1u);
  EXPECT_EQ(decision.proposals[0].kind, Kind::kSplit);
  EXPECT_THAT(decision.proposals[0].reason, HasSubstr("lane0 is 95.0 % busy"));
  world.Run(1'200, [](const Survey&, const Decision&) {});
  EXPECT_EQ(world.splits, 1u);
  EXPECT_EQ(world.moves, 1u);
  EXPECT_NEAR(world.Used(0), world.Used(1), 0.02);
}

TEST(Balancer, GoesByTheTimeOfLanesWhereItIsKnown) {
  World world = Even(256, 1'000, 4, 2, 0);
  world.keyspace.capacity = 0;
  Survey survey = world.Look();
  EXPECT_THAT(Decide(survey, world.settings).proposals, IsEmpty()) << "nothing is known";
  for (SurveyedShard& each : survey.shards) each.cpu = each.owner == 0 ? 0.45 : 0.05;
  const Decision decision = Decide(survey, world.settings);
  ASSERT_EQ(decision.proposals.size(), 1u);
  EXPECT_EQ(decision.proposals[0].kind, Kind::kMove);
  EXPECT_THAT(decision.proposals[0].reason,
              HasSubstr("lane0 is 90.0 % busy while lane1 is 10.0 %"));
}

TEST(Balancer, SaysWhenThereIsNotEnoughForAll) {
  World world = Even(256, 19'000, 8, 2, 10'000);
  const Decision decision = Decide(world.Look(), world.settings);
  EXPECT_THAT(decision.proposals, IsEmpty());
  ASSERT_NE(Find(decision, Trouble::kFull), nullptr);
  EXPECT_THAT(Find(decision, Trouble::kFull)->text, HasSubstr("all owners are 95.0 % busy"));
}

TEST(Balancer, SaysNothingOfNothing) {
  const Decision decision = Decide({}, {});
  EXPECT_THAT(decision.proposals, IsEmpty());
  EXPECT_THAT(decision.warnings, IsEmpty());
}

}  // namespace
}  // namespace sluice::rebalance
