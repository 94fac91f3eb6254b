#include "app/balance_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::app {
namespace {

using model::LaneId;
using model::ShardId;

constexpr uint64_t kSecondUs = 1'000'000, kNowUs = 1'700'000'000 * kSecondUs;

model::Shard ShardOf(uint32_t id, std::string begin, std::string end) {
  return {.id = ShardId(id),
          .keyspace = model::KeyspaceId(1),
          .begin = std::move(begin),
          .end = std::move(end),
          .lineage = model::Lineage(id),
          .epoch = model::Epoch(1),
          .owner = "node",
          .region = ""};
}

// A node of two lanes and one keyspace with two shards.
struct Node {
  std::vector<model::Keyspace> keyspaces = std::vector<model::Keyspace>(1);
  config::Config config;
  std::vector<model::Shard> shards{ShardOf(7, "", "m"), ShardOf(8, "m", "")};
  std::vector<LaneId> owners{LaneId(0), LaneId(1)};
  std::map<ShardId, heat::ShardHeat> heat;
  std::optional<heat::LoadCut> cut;
  std::vector<JobUnderWay> jobs;
  size_t asked = 0;  // for a cut

  Node() {
    keyspaces[0].id = model::KeyspaceId(1);
    keyspaces[0].name = "likes";
  }
  rebalance::Survey Look(Surveyor& surveyor, uint64_t now_us) {
    const auto map = model::ShardMap::Make(model::Epoch(1), shards);
    return surveyor.Look({.map = **map,
                          .keyspaces = keyspaces,
                          .config = config,
                          .lanes = 2,
                          .owners = owners,
                          .heat = heat,
                          .cut =
                              [this](const model::Shard&) {
                                ++asked;
                                return cut;
                              },
                          .jobs = jobs},
                         now_us);
  }
};

TEST(Surveyor, TellsWhatTheHeatKnows) {
  Node node;
  node.config.keyspaces.emplace_back();
  node.config.keyspaces[0].name = "likes";
  node.config.keyspaces[0].shards = 2;
  node.config.keyspaces[0].shard_capacity = 12'000;
  node.config.keyspaces[0].split_share = 0.5;
  node.heat[ShardId(7)].second.load.writes = 10;
  node.heat[ShardId(7)].minute.load.writes = kCutWritesLeast;
  node.heat[ShardId(7)].minute.load.cpu_us = 250'000;
  node.heat[ShardId(7)].ten_minutes.load.writes = 50;
  node.cut.emplace();
  node.cut->at = "c";
  node.cut->below = 0.4;
  node.cut->key = "likes:1";
  node.cut->share = 0.3;
  node.cut->rising = 0.2;
  node.jobs = {{.shard = ShardId(8), .to = LaneId(0)}};
  Surveyor surveyor;
  const rebalance::Survey survey = node.Look(surveyor, kNowUs);
  ASSERT_EQ(survey.keyspaces.size(), 1u);
  EXPECT_EQ(survey.keyspaces[0].capacity, 12'000);
  EXPECT_EQ(survey.keyspaces[0].split_at, 0.5);
  EXPECT_EQ(survey.keyspaces[0].shards_least, 2u);
  EXPECT_EQ(survey.owners.size(), 2u);
  EXPECT_EQ(survey.jobs, 1u);
  ASSERT_EQ(survey.shards.size(), 2u);
  const rebalance::SurveyedShard &hot = survey.shards[0], &moving = survey.shards[1];
  EXPECT_EQ(hot.owner, 0u);
  EXPECT_EQ(hot.writes.second, 10);
  EXPECT_EQ(hot.writes.minute, kCutWritesLeast);
  EXPECT_EQ(hot.writes.ten_minutes, 50);
  EXPECT_EQ(hot.cpu, 0.25);
  EXPECT_EQ(hot.cut->token, "c");
  EXPECT_EQ(hot.hottest->key, "likes:1");
  EXPECT_EQ(hot.rising, 0.2);
  EXPECT_FALSE(hot.busy);
  EXPECT_TRUE(moving.busy);
  EXPECT_EQ(moving.moving_to, 0u);
  EXPECT_FALSE(moving.cut) << "nothing is written to it";
  EXPECT_EQ(node.asked, 1u);
}

TEST(Surveyor, LeavesACutOutThatPartsNothing) {
  Node node;
  node.heat[ShardId(7)].minute.load.writes = 1'000;
  node.cut.emplace();
  node.cut->key = "likes:1";
  node.cut->share = 1;
  Surveyor surveyor;
  const rebalance::Survey survey = node.Look(surveyor, kNowUs);
  EXPECT_FALSE(survey.shards[0].cut);
  EXPECT_EQ(survey.shards[0].hottest->share, 1);
}

// Goal:   when a shard has changed is known, from the first look on and not before.
// Method: a split, a move, and a job that did not begin, each at a look of its own.
TEST(Surveyor, RemembersWhenAShardChanged) {
  Node node;
  Surveyor surveyor;
  EXPECT_EQ(node.Look(surveyor, kNowUs).shards[0].changed_us, 0u);
  node.shards = {ShardOf(7, "", "c"), ShardOf(9, "c", "m"), ShardOf(8, "m", "")};
  node.owners = {LaneId(0), LaneId(0), LaneId(1)};
  rebalance::Survey survey = node.Look(surveyor, kNowUs + 5);
  EXPECT_EQ(survey.shards[0].changed_us, kNowUs + 5) << "its range is another";
  EXPECT_EQ(survey.shards[1].changed_us, kNowUs + 5);
  EXPECT_EQ(survey.shards[2].changed_us, 0u);
  node.owners[1] = LaneId(1);
  surveyor.Touch(ShardId(8), kNowUs + 7);
  survey = node.Look(surveyor, kNowUs + 9);
  EXPECT_EQ(survey.shards[0].changed_us, kNowUs + 5);
  EXPECT_EQ(survey.shards[1].changed_us, kNowUs + 9);
  EXPECT_EQ(survey.shards[2].changed_us, kNowUs + 7);
}

TEST(Surveyor, TellsSinceWhenItLooks) {
  Node node;
  Surveyor surveyor;
  for (const uint64_t later : {0, 5, 600}) {
    EXPECT_EQ(node.Look(surveyor, kNowUs + later).since_us, kNowUs);
  }
}

TEST(Surveyor, TakesOverTheSettings) {
  config::RebalanceConfig config;
  config.acts = config::BalanceMode::kOff;
  config.cooldown_ms = 90'000;
  config.jobs = 3;
  config.within = config::DayWindow{120, 300};
  const rebalance::Settings settings = SettingsOf(config);
  EXPECT_EQ(settings.mode, rebalance::Mode::kOff);
  EXPECT_EQ(settings.cooldown_us, 90'000'000u);
  EXPECT_EQ(settings.jobs, 3u);
  EXPECT_EQ(settings.window->from, 120u);
  EXPECT_EQ(settings.window->to, 300u);
}

}  // namespace
}  // namespace sluice::app
