#include "heat/lane_heat.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/prng.h"

namespace sluice::heat {
namespace {

constexpr model::KeyspaceId kLikes(1);
constexpr uint64_t kStartUs = 9'000'000'000;
constexpr uint64_t kTurnUs = 1'000;

// A lane that works in turns of 1 ms; a turn is durable `late` turns after it ended.
struct Lane {
  LaneHeat heat{4, 1};
  uint64_t now_us = kStartUs, turn = 0, cpu_us = 0;
  uint64_t late = 2;

  // `writes`: in this turn, of each shard; the keys are its own.
  void Turn(std::initializer_list<uint64_t> writes, double busy = 0.5) {
    heat.BeginTurn(now_us);
    if (turn > late) heat.Durable(model::Lsn(turn - late));
    size_t shard = 0;
    for (const uint64_t count : writes) {
      for (uint64_t i = 0; i < count; ++i) {
        heat.Write(kLikes, shard, fmt::format("{}", shard), fmt::format("likes:{}", shard), 100);
      }
      ++shard;
    }
    cpu_us += static_cast<uint64_t>(busy * kTurnUs);
    heat.Tick(cpu_us);
    heat.EndTurn(model::Lsn(++turn));
    now_us += kTurnUs;
  }
};

// Goal:   whatever the load, each shard's rate, its part of the core, its percentiles and the rates
//         of the hot keys are told right, also where only some writes are sampled.
// Method: steady loads from a few writes a second to millions, uneven over the shards.
TEST(LaneHeat, TellsWhatEachShardDoes) {
  for (const uint64_t scale : {1, 10, 100, 1000}) {
    SCOPED_TRACE(scale);
    Lane lane;
    for (int i = 0; i < 8'000; ++i) lane.Turn({3 * scale, scale, 0, 0});
    const double unit = static_cast<double>(scale) * 1e6 / kTurnUs;
    const Load hot = lane.heat.Of(0).second.load, cool = lane.heat.Of(1).second.load;
    EXPECT_NEAR(hot.writes, 3 * unit, 0.02 * unit);
    EXPECT_NEAR(cool.writes, unit, 0.01 * unit);
    EXPECT_NEAR(hot.bytes, 300 * unit, 2 * unit);
    EXPECT_NEAR(hot.cpu_us, 375'000, 5'000);
    EXPECT_NEAR(cool.cpu_us, 125'000, 2'000);
    EXPECT_EQ(lane.heat.Of(2).second.load.writes, 0);
    EXPECT_EQ(lane.heat.Of(2).second.p99_us, std::nullopt);
    const uint64_t took = (lane.late + 1) * kTurnUs;
    EXPECT_GE(lane.heat.Of(0).second.p50_us, took);
    EXPECT_LE(lane.heat.Of(0).second.p99_us, took + took / 4);
    const std::vector<HotKey> keys = lane.heat.Hottest(10);
    ASSERT_EQ(keys.size(), 2u);
    EXPECT_EQ(keys[0].key, "likes:0");
    EXPECT_NEAR(keys[0].per_second, 3 * unit, 0.1 * 3 * unit);
    EXPECT_NEAR(keys[1].per_second, unit, 0.15 * unit);
  }
}

// Goal:   a hot key among very many is seen within a second even when it becomes hot while only one
//         write in many is sampled.
// Method: 500,000 writes a second over ever new keys; then one key gets 2 % of them.
TEST(LaneHeat, SeesAHotKeyWithinASecond) {
  LaneHeat heat(1, 3);
  Prng prng(4);
  uint64_t now_us = kStartUs, fresh = 0;
  const auto run = [&](double hot, int turns) {
    for (int i = 0; i < turns; ++i, now_us += kTurnUs) {
      heat.BeginTurn(now_us);
      for (int w = 0; w < 500; ++w) {
        const bool is_hot = static_cast<double>(prng.Below(10'000)) < 10'000 * hot;
        heat.Write(kLikes, 0, "token",
                   is_hot ? "likes:celebrity" : fmt::format("likes:{}", ++fresh), 10);
      }
      heat.Tick(0);
    }
  };
  run(0, 3'000);
  run(0.02, 1'000);
  const std::vector<HotKey> keys = heat.Hottest(1);
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].key, "likes:celebrity");
  EXPECT_NEAR(keys[0].per_second, 5'000, 2'500);
}

// Goal:   a lane that was away for long (a suspended machine, a debugger) tells of a mean over that
//         time, and neither crashes nor loops for long.
// Method: gaps of up to a day.
TEST(LaneHeat, OutlivesGaps) {
  for (const uint64_t gap_s : {2, 59, 601, 86'400}) {
    Lane lane;
    for (int i = 0; i < 3'000; ++i) lane.Turn({10, 0, 0, 0});
    lane.now_us += gap_s * 1'000'000;
    for (int i = 0; i < 3; ++i) lane.Turn({10, 0, 0, 0});
    EXPECT_LT(lane.heat.Of(0).second.load.writes, 10'000.0 * 2 / static_cast<double>(gap_s));
    for (int i = 0; i < 2'100; ++i) lane.Turn({10, 0, 0, 0});
    EXPECT_NEAR(lane.heat.Of(0).second.load.writes, 10'000, 50);
  }
}

// Goal:   turns that wait for a log that is stuck are bounded.
// Method: no turn becomes durable for ten thousand turns; then all do.
TEST(LaneHeat, WaitsForFewTurnsOfAStuckLog) {
  Lane lane;
  lane.late = 10'000;
  for (int i = 0; i < 10'000; ++i) lane.Turn({1, 0, 0, 0});
  EXPECT_EQ(lane.heat.Of(0).second.p50_us, std::nullopt);
  lane.heat.Durable(model::Lsn(lane.turn));
  EXPECT_GE(lane.heat.Of(0).second.p50_us, (10'000 - kTurnsWaiting) * kTurnUs);
}

// Goal:   the samples of a second weigh as much as it had writes, in the parts that each token had,
//         however many writes there were; they are told once, and are bounded.
// Method: loads from a few writes a second to millions, two tokens at 3 to 1; also a load that
//         begins while every write is sampled.
TEST(LaneHeat, SamplesWeighWhatWasWritten) {
  for (const uint64_t scale : {1, 10, 100, 1000}) {
    SCOPED_TRACE(scale);
    Lane lane;
    std::map<std::string, double> weight;
    double seconds = 0;
    for (int i = 0; i < 4'000; ++i) {
      lane.Turn({3 * scale, scale, 0, 0});
      const std::vector<Sample> samples = lane.heat.TakeSamples();
      ASSERT_LE(samples.size(), kSamplesKept);
      for (const Sample& sample : samples) weight[sample.token] += sample.weight;
      if (!samples.empty()) ++seconds;
    }
    const double unit = static_cast<double>(scale) * 1e6 / kTurnUs;
    EXPECT_EQ(seconds, 3);
    EXPECT_NEAR((weight["0"] + weight["1"]) / seconds, 4 * unit, 0.01 * unit);
    EXPECT_NEAR(weight["0"] / seconds, 3 * unit, 0.1 * unit);
  }
}

// Goal:   what waits in a shard is a level that its windows tell, and is gone when nothing waits.
// Method: two commands wait for two minutes, then none.
TEST(LaneHeat, TellsWhatWaits) {
  Lane lane;
  {
    const Waits one(lane.heat.queue(1), 100), two(lane.heat.queue(1), 50);
    for (int i = 0; i < 5'000; ++i) lane.Turn({1, 1, 0, 0});
    const ShardHeat heat = lane.heat.Of(1);
    EXPECT_EQ(heat.second.load.queued, 2);
    EXPECT_EQ(heat.second.load.queue_bytes, 150);
    EXPECT_NEAR(heat.minute.load.queue_bytes, 150, 1e-9);
    EXPECT_EQ(lane.heat.Of(0).second.load.queued, 0);
  }
  for (int i = 0; i < 5'000; ++i) lane.Turn({1, 1, 0, 0});
  EXPECT_EQ(lane.heat.Of(1).second.load.queued, 0);
  EXPECT_LT(lane.heat.Of(1).minute.load.queued, 1.2);
}

}  // namespace
}  // namespace sluice::heat
