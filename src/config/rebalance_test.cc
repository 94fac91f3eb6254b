// [rebalance], and what a keyspace says of its shards' capacity.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"
#include "config/live.h"
#include "config/print.h"

namespace sluice::config {
namespace {

using ::testing::HasSubstr;

const std::string kLikes = "[keyspace.likes]\nkey = \"likes:{id}\"\n";

std::string ErrorOf(const std::string& text) {
  const auto config = Load(text, "f.toml", {});
  return config ? "(no error)" : config.error().message;
}

Config Good(const std::string& text) {
  auto config = Load(text, "f.toml", {});
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return config ? *std::move(config) : Config{};
}

// Goal:   preview is what nobody asked for; every setting reaches its field, and prints so that it
//         loads again.
// Method: nothing, everything, and what is printed of it.
TEST(Rebalance, ReadsEverySetting) {
  const Config usual = Good(kLikes);
  EXPECT_EQ(usual.rebalance.acts, BalanceMode::kPreview);
  EXPECT_EQ(usual.rebalance.cooldown_ms, 300'000u);
  EXPECT_EQ(usual.rebalance.jobs, 1u);
  EXPECT_FALSE(usual.rebalance.within);
  EXPECT_EQ(usual.keyspaces[0].shard_capacity, 0);
  EXPECT_EQ(usual.keyspaces[0].split_share, 0.66);
  const Config said =
      Good("[rebalance]\nmode = \"on\"\ncooldown = \"2m\"\nwindow = \"23:30-01:05\"\njobs = 4\n" +
           kLikes + "capacity = \"12000/s\"\nsplit_at = 0.5\n");
  for (const Config& config : {said, Good(ToToml(said))}) {
    EXPECT_EQ(config.rebalance.acts, BalanceMode::kOn);
    EXPECT_EQ(config.rebalance.cooldown_ms, 120'000u);
    EXPECT_EQ(config.rebalance.jobs, 4u);
    EXPECT_EQ(config.rebalance.within, (DayWindow{23 * 60 + 30, 65}));
    EXPECT_EQ(config.keyspaces[0].shard_capacity, 12'000);
    EXPECT_EQ(config.keyspaces[0].split_share, 0.5);
  }
  const std::string rate = kLikes + "capacity = \"720000/m\"\nsplit_at = \"8000/s\"\n";
  EXPECT_DOUBLE_EQ(Good(rate).keyspaces[0].split_share, 8'000.0 / 12'000);
}

TEST(Rebalance, NamesMistakes) {
  const std::string head = "[rebalance]\n", capacity = kLikes + "capacity = \"12000/s\"\n";
  for (const auto& [text, said] : {
           std::pair{head + "mode = \"auto\"", "there is no \"auto\""},
           {head + "mode = \"prevew\"", "preview"},
           {head + "cooldown = \"59s\"", "rebalance.cooldown must be from 1m to 1d"},
           {head + "jobs = 0", "rebalance.jobs must be from 1 to 64"},
           {head + "window = \"2-5\"", "\"2-5\" is no part of a day like \"02:00-05:00\""},
           {head + "window = \"02:00-24:00\"", "no part of a day"},
           {head + "window = \"02:00-02:00\"", "no part of a day"},
           {head + "window = \"02:00-05:00 \"", "no part of a day"},
           {head + "windows = \"\"", "window"},
           {kLikes + "capacity = \"fast\"", "is not a rate"},
           {kLikes + "capacity = 12000", "must be a string"},
           {kLikes + "capacity = \"0/s\"", "a shard that carries nothing is none"},
           {capacity + "split_at = \"0/s\"", "a rate within these, and is \"0/s\""},
           {kLikes + "capacity = \"12000/s burst 5\"", "a shard carries has no burst"},
           {capacity + "split_at = \"8000/s burst 5\"", "from 0.1 to 1"},
           {kLikes + "split_at = \"8000/s\"", "a rate needs a `capacity`"},
           {capacity + "split_at = \"13000/s\"", "from 0.1 to 1"},
           {capacity + "split_at = 0.05", "from 0.1 to 1"},
           {capacity + "split_at = 1.5", "from 0.1 to 1"},
           {capacity + "split_at = \"nan\"", "from 0.1 to 1"},
           {capacity + "split_at = \"0.5x\"", "from 0.1 to 1"},
           {capacity + "split_at = true", "must be a string"},
       }) {
    EXPECT_THAT(ErrorOf(text), HasSubstr(said)) << text;
  }
}

// Goal:   all of it can be changed while running.
// Method: one change each, as CONFIG SET makes it.
TEST(Rebalance, ChangesWhileRunning) {
  const Config now = Good(kLikes);
  const NewValue values[] = {{"rebalance.mode", "off"},
                             {"rebalance.cooldown", "1h"},
                             {"rebalance.window", "02:00-05:00"},
                             {"rebalance.jobs", "2"},
                             {"keyspace.likes.capacity", "9000/s"},
                             {"keyspace.likes.split_at", "0.8"}};
  const auto next = With(now, values);
  ASSERT_TRUE(next.has_value()) << next.error().message;
  EXPECT_EQ(next->rebalance.acts, BalanceMode::kOff);
  EXPECT_EQ(next->rebalance.within, (DayWindow{120, 300}));
  EXPECT_EQ(next->keyspaces[0].split_share, 0.8);
  const auto adopted = Adopt(now, *next);
  ASSERT_TRUE(adopted.has_value());
  EXPECT_EQ(adopted->rebalance.jobs, 2u);
  EXPECT_EQ(adopted->keyspaces[0].shard_capacity, 9'000);
}

}  // namespace
}  // namespace sluice::config
