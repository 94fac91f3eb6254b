#include "plan/capacity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "plan/node.h"
#include "plan/shard_key.h"

namespace sluice::plan {
namespace {

TEST(WorkedExamples, A120000WritesOver15000PerShard) {
  const ShardPlan plan = PlanShards(120'000, 15'000, 0.25);
  EXPECT_EQ(plan.least, 8);
  EXPECT_EQ(plan.needed_rate, 160'000);
  EXPECT_EQ(plan.provisioned, 11);
  EXPECT_EQ(Thousands(plan.each), "10,909");
  EXPECT_EQ(Thousands(plan.spare), "4,091");
}

TEST(WorkedExamples, B96000WritesOver12000PerShard) {
  const ShardPlan plan = PlanShards(96'000, 12'000, 0.20);
  EXPECT_EQ(plan.least, 8);
  EXPECT_EQ(plan.provisioned, 10);
}

TEST(WorkedExamples, CDirectWritesAgainstALog) {
  const LogPlan plan = PlanLog(32'000, 5'000, 40'000, 200, 4);
  EXPECT_FALSE(plan.direct);
  EXPECT_TRUE(plan.log);
  EXPECT_EQ(plan.flushes, 160);
  EXPECT_EQ(plan.work_ms, 640);
}

TEST(WorkedExamples, DBatchesOf300Rows) {
  const BatchPlan plan = PlanBatches(9'000, 1.2, 300, 18);
  EXPECT_DOUBLE_EQ(plan.single_ms, 10'800);
  EXPECT_DOUBLE_EQ(plan.batched_ms, 540);
  EXPECT_NEAR(plan.less, 0.95, 1e-9);
}

TEST(WorkedExamples, EAShardAtTwiceItsLimit) {
  EXPECT_EQ(PlanSplit(24'000, 12'000).pieces, 2);
  EXPECT_EQ(PlanSplit(24'000, 12'000).each, 12'000);
  // Earlier: at 8,000 it is split while it still carries its load.
  EXPECT_EQ(PlanSplit(8'000, 8'000).pieces, 1);
  EXPECT_EQ(PlanSplit(8'001, 8'000).pieces, 2);
  EXPECT_EQ(PlanSplit(24'000, 8'000).pieces, 4);
}

TEST(WorkedExamples, FOneSellerBesideTen) {
  std::vector<double> loads(11, 9'500);
  loads[3] = 25'000;
  const SkewPlan plan = PlanSkew(loads, 15'000);
  EXPECT_LT(plan.mean, 15'000);  // the average looks safe
  EXPECT_EQ(plan.at, 3u);
  EXPECT_TRUE(plan.hot);
  EXPECT_EQ(plan.rest, 9'500);
  EXPECT_FALSE(PlanHotKey(25'000, 15'000).fits);
  EXPECT_EQ(PlanHotKey(25'000, 15'000).sub_keys, 2);
}

TEST(WorkedExamples, GOneKeyAt30000) {
  const HotKeyPlan plan = PlanHotKey(30'000, 12'000);
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.sub_keys, 3);
  EXPECT_EQ(plan.fold_at_least, 2.5);
}

TEST(WorkedExamples, HOneRowForEachWindow) {
  const WindowPlan plan = PlanWindow(100'000, 1'000);
  EXPECT_EQ(plan.gathered, 100'000);
}

TEST(WorkedExamples, IAWindowOf50Ms) {
  const WindowPlan plan = PlanWindow(1'000, 50);
  EXPECT_EQ(plan.mean_ms, 25);
  EXPECT_NEAR(plan.p99_ms, 49.5, 1e-9);
  EXPECT_EQ(plan.most_ms, 50);
  double sum = 0;
  for (const double share : plan.histogram) sum += share;
  EXPECT_NEAR(sum, 1, 1e-9);
}

// Goal:   a plan holds what it promises: enough, and not a shard more than needed.
// Method: loads, limits and headrooms swept; what must hold is said by multiplication alone.
TEST(Capacity, ProvisionsEnoughAndNoMore) {
  for (double writes = 1; writes < 3e7; writes *= 1.37) {
    for (const double per_shard : {1.0, 700.0, 12'000.0, 15'000.0, 637'000.0}) {
      for (const double headroom : {0.0, 0.1, 0.2, 0.25, 0.5, 0.9}) {
        const ShardPlan plan = PlanShards(writes, per_shard, headroom);
        ASSERT_GE(plan.least * per_shard * (1 + 1e-9), writes);
        ASSERT_TRUE(plan.least == 1 || (plan.least - 1) * per_shard < writes * (1 + 1e-9));
        ASSERT_LE(plan.each, per_shard * (1 - headroom) * (1 + 1e-8));
        ASSERT_GE(plan.provisioned, plan.least);
        ASSERT_TRUE(plan.provisioned == 1 ||
                    writes / (plan.provisioned - 1) > per_shard * (1 - headroom) * (1 - 1e-8));
        const SplitPlan split = PlanSplit(writes, per_shard);
        ASSERT_LE(split.each, per_shard);
        ASSERT_TRUE(split.pieces == 1 || 2 * split.each > per_shard);
        const HotKeyPlan hot = PlanHotKey(writes, per_shard);
        ASSERT_EQ(hot.fits, hot.fold_at_least <= 1);
        ASSERT_LE(writes / hot.sub_keys, per_shard * (1 + 1e-9));
      }
    }
  }
}

// Goal:   what is called hot is hot; an even load never is.
// Method: from 2 to 40 shards, one of them from 1 to 10 times the others, limits around it.
TEST(Capacity, NamesTheHotShardOnly) {
  for (size_t shards = 2; shards <= 40; ++shards) {
    for (double times = 1; times <= 10; times += 0.5) {
      std::vector<double> loads(shards, 1'000);
      loads[shards / 2] = 1'000 * times;
      const SkewPlan plan = PlanSkew(loads, 1'500);
      // Of two, the greater is the median.
      const bool apart = shards > 2;
      EXPECT_EQ(plan.hot, apart && times >= 2) << shards << " shards, " << times;
      EXPECT_EQ(plan.over, times > 1.5);
      EXPECT_DOUBLE_EQ(plan.rest, 1'000);
    }
  }
}

// Goal:   the resource that ends first is the least of the four, and giving more of it helps until
//         another is.
// Method: each resource in turn made scarce, then plenty.
TEST(Capacity, FindsWhatEndsFirst) {
  const NodeFigures usual;
  const auto first = [](const NodeFigures& figures) {
    const NodePlan plan = PlanNode(figures, 100'000, 0.25);
    for (const Resource& one : plan.resources) EXPECT_GE(one.carries, plan.carries);
    EXPECT_GE(plan.nodes * plan.carries * 0.75 * (1 + 1e-9), 100'000);
    return std::string(plan.resources[plan.first].name);
  };
  NodeFigures figures = usual;
  figures.writes_per_lane = 1'000;
  EXPECT_EQ(first(figures), "cpu");
  figures = usual;
  figures.sync_seconds = 1;
  EXPECT_EQ(first(figures), "fsync");
  figures = usual;
  figures.disk_bytes_per_second = 1'000'000;
  EXPECT_EQ(first(figures), "disk");
  figures = usual;
  figures.network_bytes_per_second = 1'000'000;
  EXPECT_EQ(first(figures), "network");
  figures.value_bytes = 1'000'000;
  EXPECT_LT(PlanNode(figures, 1, 0).carries, PlanNode(usual, 1, 0).carries);
  // What was measured comes out again: 125 bytes of log for a value of 100.
  EXPECT_EQ(PlanNode(usual, 1, 0).log_bytes, kLogBytesPerWrite);
}

}  // namespace
}  // namespace sluice::plan
