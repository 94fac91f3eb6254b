// What holds of the balancer over time: worlds of many shapes in which its proposals are carried
// out, minute by minute.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "rebalance/kit_test.h"

namespace sluice::rebalance {
namespace {

constexpr size_t kCells = 2'048;

size_t Seeds() {
  return std::getenv("SLUICE_LONG") ? 200 : 12;
}

// A world drawn from a seed: owners alike or not, with tags or not, loads even, skewed or with a
// few keys that have much.
World Draw(uint64_t seed) {
  Prng prng(seed);
  World world;
  const bool geo = prng.OneIn(2);
  const size_t owners = 2 + prng.Below(10);
  for (size_t i = 0; i < owners; ++i) {
    SurveyedOwner owner{"n" + std::to_string(i), {}, 30'000.0 + 10'000.0 * double(prng.Below(4))};
    if (geo) owner.tags = {i % 2 == 0 ? "in" : "eu"};
    world.owners.push_back(owner);
  }
  double carried = 0;
  for (const SurveyedOwner& each : world.owners) carried += each.capacity;
  const double wanted = carried * (0.2 + 0.05 * double(prng.Below(9)));
  // In some worlds owners could carry far more: only the shards' own capacity counts.
  if (prng.OneIn(3)) {
    for (SurveyedOwner& each : world.owners) each.capacity *= 10;
  }
  const double skew = 0.3 * double(prng.Below(4));  // of Zipf
  world.cells.resize(kCells);
  for (double& cell : world.cells) cell = std::pow(1.0 + double(prng.Below(kCells)), -skew);
  const double sum = std::accumulate(world.cells.begin(), world.cells.end(), 0.0);
  for (double& cell : world.cells) cell *= wanted / sum;
  for (uint64_t i = prng.Below(4); i > 0; --i) {
    world.cells[prng.Below(kCells)] = 1'000.0 * double(1 + prng.Below(9));
  }
  const size_t shards = 2 * (1 + prng.Below(8));
  if (geo) world.keyspace.regions = {{"IN", "in", 2}, {"EU", "eu", 1}};
  world.keyspace.shards_least = 2;
  for (size_t i = 0; i < shards; ++i) {
    const bool lower = i < shards / 2;
    // All begin at the first owners: the worst that can be.
    world.AddShard(i * kCells / shards, (i + 1) * kCells / shards, geo && !lower ? 1 : 0,
                   geo ? (lower ? "IN" : "EU") : "");
  }
  world.settings.jobs = 1 + prng.Below(6);
  world.settings.cooldown_us = (60 + 60 * prng.Below(6)) * kSecondUs;
  return world;
}

// What must hold of every decision, whatever the world.
void CheckDecision(const World& world, const Survey& survey, const Decision& decision) {
  ASSERT_LE(decision.proposals.size() + survey.jobs, std::max(world.settings.jobs, survey.jobs));
  const Decision same = Decide(survey, world.settings);
  ASSERT_EQ(same.proposals.size(), decision.proposals.size());
  std::vector<model::ShardId> touched;
  std::vector<size_t> moving;  // owners
  for (const SurveyedShard& each : survey.shards) {
    if (each.moving_to) moving.insert(moving.end(), {each.owner, *each.moving_to});
  }
  for (size_t i = 0; i < decision.proposals.size(); ++i) {
    const Proposal& it = decision.proposals[i];
    ASSERT_EQ(same.proposals[i].shard, it.shard);
    ASSERT_EQ(same.proposals[i].reason, it.reason);
    ASSERT_FALSE(it.reason.empty());
    ASSERT_FALSE(it.effect.empty());
    touched.push_back(it.shard);
    if (it.kind == Kind::kMerge) touched.push_back(it.with);
    const auto shard = std::find_if(survey.shards.begin(), survey.shards.end(),
                                    [&](const auto& each) { return each.id == it.shard; });
    ASSERT_NE(shard, survey.shards.end());
    ASSERT_FALSE(shard->busy) << it.reason;
    double used = 0;
    for (const SurveyedShard& each : survey.shards) {
      const double capacity = survey.owners[shard->owner].capacity;
      used += each.owner == shard->owner ? each.writes.minute / capacity : 0;
    }
    const uint64_t rested_us = survey.now_us - shard->changed_us;
    ASSERT_GE(rested_us, kSettleUs);
    if (used < 0.9 && shard->writes.minute < 0.9 * world.keyspace.capacity) {
      ASSERT_GE(rested_us, world.settings.cooldown_us) << it.reason;
    }
    if (it.kind == Kind::kSplit) {
      const bool melts = used >= 0.9 || shard->writes.minute >= 0.9 * world.keyspace.capacity;
      const double least = melts ? 0.1 : 0.2;
      ASSERT_LE(shard->hottest->share, 1 - least) << it.reason;
      ASSERT_GE(std::min(shard->cut->below, 1 - shard->cut->below), least) << it.reason;
      ASSERT_GT(it.token, shard->begin);
      ASSERT_TRUE(shard->end.empty() || it.token < shard->end);
    } else if (it.kind == Kind::kMove) {
      ASSERT_NE(it.to, shard->owner);
      moving.insert(moving.end(), {shard->owner, it.to});
      if (!shard->region.empty()) {
        ASSERT_EQ(survey.owners[it.to].tags[0], shard->region == "IN" ? "in" : "eu") << it.reason;
      }
    }
  }
  std::sort(touched.begin(), touched.end());
  ASSERT_EQ(std::adjacent_find(touched.begin(), touched.end()), touched.end()) << "twice";
  std::sort(moving.begin(), moving.end());
  ASSERT_EQ(std::adjacent_find(moving.begin(), moving.end()), moving.end()) << "two moves at once";
}

// Goal:   a load that holds still leads, within two hours, to a state that is left alone for good,
//         and no shard ever moves to where it had been; nothing stays hot that could be helped.
// Method: worlds drawn from seeds; 3 h of looks, the last of which may propose nothing.
TEST(Balancer, ConvergesUnderALoadThatHoldsAndNeverGoesBack) {
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    World world = Draw(seed);
    world.Run(7'200, [&](const Survey& survey, const Decision& decision) {
      CheckDecision(world, survey, decision);
    });
    if (testing::Test::HasFatalFailure()) return;
    world.Run(3'600, [](const Survey& survey, const Decision& decision) {
      ASSERT_TRUE(decision.proposals.empty()) << decision.proposals[0].reason;
      ASSERT_EQ(survey.jobs, 0u);
    });
    if (testing::Test::HasFatalFailure()) return;
    EXPECT_EQ(world.again, 0u);
    const Survey survey = world.Look();
    for (const SurveyedShard& each : survey.shards) {
      const bool splittable = each.hottest->share <= 0.8 && each.cut &&
                              std::min(each.cut->below, 1 - each.cut->below) >= 0.2;
      if (splittable) {
        EXPECT_LT(each.writes.minute, world.keyspace.capacity * world.keyspace.split_at);
      }
    }
    double used = 0, carried = 0;
    for (size_t i = 0; i < world.owners.size(); ++i) {
      used += world.Used(i) * world.owners[i].capacity;
      carried += world.owners[i].capacity;
    }
    if (!world.keyspace.regions.empty()) continue;  // owners of one region may be full alone
    for (size_t i = 0; i < world.owners.size(); ++i) {
      EXPECT_LE(world.Used(i), std::max(0.5, used / carried + 0.1) + 0.05) << world.owners[i].name;
    }
  }
}

// Goal:   what was split for a load is merged when the load is gone, down to what there must be and
//         no further; and comes back with the load.
// Method: worlds drawn from seeds; two hours of load, ten of nothing, two of load.
TEST(Balancer, MergesWhatIsColdAndNotBelowTheLeast) {
  for (uint64_t seed = 1; seed <= Seeds() / 2; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    World world = Draw(seed);
    const auto check = [&](const Survey& survey, const Decision& decision) {
      CheckDecision(world, survey, decision);
    };
    world.Run(7'200, check);
    const std::vector<double> cells = world.cells;
    std::fill(world.cells.begin(), world.cells.end(), 0.01);
    world.Run(86'400, check);
    if (testing::Test::HasFatalFailure()) return;
    EXPECT_EQ(world.shards.size(), world.keyspace.regions.empty() ? 2u : 3u);
    world.cells = cells;
    world.Run(7'200, check);
    if (testing::Test::HasFatalFailure()) return;
    for (size_t i = 0; i < world.owners.size(); ++i) {
      if (!world.keyspace.regions.empty()) continue;
      EXPECT_LE(world.Used(i), 0.9) << world.owners[i].name;
    }
  }
}

// Goal:   a node that has just begun takes no shard for cold: what was split for a load is still
//         there when the load comes back after a restart.
// Method: a world without load, looked at from each minute on after a start.
TEST(Balancer, MergesNothingBeforeItKnowsTenMinutes) {
  World world = Draw(1);
  std::fill(world.cells.begin(), world.cells.end(), 0.0);
  const size_t many = world.shards.size() + 4;
  for (size_t i = world.shards.size(); i < many; ++i) {
    World::Shard& last = world.shards.back();
    const size_t end = last.last, cut = (last.first + end) / 2;
    last.last = cut;
    last.told.end = World::Token(cut);
    world.AddShard(cut, end, last.told.owner, last.told.region);
  }
  Survey survey = world.Look();
  const auto merges = [&] {
    const Decision decision = Decide(survey, world.settings);
    return std::count_if(decision.proposals.begin(), decision.proposals.end(),
                         [](const Proposal& each) { return each.kind == Kind::kMerge; });
  };
  for (uint64_t minute = 0; minute < 10; ++minute) {
    survey.since_us = survey.now_us - minute * 60 * kSecondUs;
    EXPECT_EQ(merges(), 0) << minute;
  }
  survey.since_us = survey.now_us - 600 * kSecondUs;
  EXPECT_GT(merges(), 0);
  for (SurveyedShard& shard : survey.shards) shard.writes.busiest_minute = 9'000;
  EXPECT_EQ(merges(), 0) << "a burst within ten minutes is no cold";
}

// Goal:   a load that swings or trembles does not make shards wander.
// Method: worlds drawn from seeds, converged; then each cell's load is 0.9 to 1.1 times its own at
//         every look, for six hours.
TEST(Balancer, KeepsStillUnderALoadThatTrembles) {
  for (uint64_t seed = 1; seed <= Seeds() / 2; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    World world = Draw(seed);
    world.Run(7'200, [](const Survey&, const Decision&) {});
    const std::vector<double> cells = world.cells;
    Prng prng(seed);
    const size_t before = world.splits + world.moves + world.merges;
    for (int look = 0; look < 2'160; ++look) {
      for (size_t i = 0; i < kCells; ++i) {
        world.cells[i] = cells[i] * (0.9 + 0.001 * double(prng.Below(201)));
      }
      world.Run(10, [](const Survey&, const Decision&) {});
    }
    EXPECT_LE(world.splits + world.moves + world.merges - before, 4u);
  }
}

}  // namespace
}  // namespace sluice::rebalance
