#include "heat/recent.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace sluice::heat {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr model::KeyspaceId kOrders(1);
constexpr uint64_t kStartS = 9'000;

std::string TokenOf(uint64_t n) {
  return fmt::format("{:06}", n);
}

// Shards that begin at these tokens, with ids from `first` on.
std::shared_ptr<const model::ShardMap> MapOf(std::vector<std::string> begins, uint32_t first = 1) {
  std::vector<model::Shard> shards;
  for (size_t i = 0; i < begins.size(); ++i) {
    model::Shard shard;
    shard.id = model::ShardId(first + static_cast<uint32_t>(i));
    shard.keyspace = kOrders;
    shard.begin = begins[i];
    shard.end = i + 1 < begins.size() ? begins[i + 1] : "";
    shards.push_back(std::move(shard));
  }
  return *model::ShardMap::Make(model::Epoch(1), std::move(shards));
}

// Draws tokens from a load and tells Recent of them, second by second.
struct Writers {
  std::shared_ptr<const model::ShardMap> map = MapOf({""});
  Recent recent{7};
  Prng prng{3};
  uint64_t now_s = kStartS;

  void Run(const std::function<uint64_t(Prng&)>& draw, int seconds, size_t samples = 100) {
    for (int s = 0; s < seconds; ++s) {
      std::vector<Sample> second;
      for (size_t i = 0; i < samples; ++i) {
        const uint64_t n = draw(prng);
        second.push_back({kOrders, 10, TokenOf(n), fmt::format("order:{}", n)});
      }
      recent.EndSecond(++now_s, *map, second);
    }
  }
  std::optional<LoadCut> Cut(std::string_view begin = "", std::string_view end = "") const {
    return recent.CutOf(kOrders, begin, end);
  }
};

// The share of a load's draws below the token.
double Below(const std::function<uint64_t(Prng&)>& draw, const std::string& token) {
  Prng prng(11);
  int below = 0;
  for (int i = 0; i < 20'000; ++i) below += TokenOf(draw(prng)) < token ? 1 : 0;
  return below / 20'000.0;
}

uint64_t Even(Prng& prng) {
  return prng.Below(100'000);
}
// Most of it at the end, as of keys that begin with a time.
uint64_t Tail(Prng& prng) {
  const auto back = std::exp(static_cast<double>(prng.Below(11'500)) / 1'000);
  return 100'000 - std::min<uint64_t>(static_cast<uint64_t>(back), 100'000);
}
// Ten keys that share the load, far apart, among many cold ones.
uint64_t Few(Prng& prng) {
  return prng.OneIn(10) ? Even(prng) : 1'000 * prng.Below(10) + 7;
}

// Goal:   a range is cut where its load is halved, not its keys.
// Method: loads of various shapes; half of the true load lies below the cut, as far as 256 writes
//         tell it (a standard deviation of some 4 %), in one shard and over many.
TEST(Recent, CutsAtTheLoadMedian) {
  const std::function<uint64_t(Prng&)> loads[] = {Even, Tail, Few};
  for (size_t load = 0; load < std::size(loads); ++load) {
    for (const bool many : {false, true}) {
      SCOPED_TRACE(fmt::format("load {}, {} shards", load, many ? 4 : 1));
      Writers writers;
      if (many) writers.map = MapOf({"", TokenOf(20'000), TokenOf(50'000), TokenOf(90'000)});
      writers.Run(loads[load], 300);
      const auto cut = writers.Cut();
      ASSERT_TRUE(cut.has_value());
      EXPECT_FALSE(cut->one_key());
      EXPECT_NEAR(Below(loads[load], cut->at), 0.5, 0.15) << cut->at;
      EXPECT_NEAR(cut->below, 0.5, 0.12);
      EXPECT_LE(cut->samples, kRecentPerShard * (many ? 4 : 1));
    }
  }
}

// Goal:   the cut is of the last minute, and of the range that was asked for.
// Method: the load moves from the first half of the keys to the second.
TEST(Recent, FollowsTheLoad) {
  Writers writers;
  writers.Run([](Prng& prng) { return prng.Below(50'000); }, 900);
  EXPECT_NEAR(std::stod(writers.Cut()->at), 25'000, 8'000);
  writers.Run([](Prng& prng) { return 50'000 + prng.Below(50'000); }, 120);
  EXPECT_GT(std::stod(writers.Cut()->at), 60'000);
  const auto low = writers.Cut(TokenOf(80'000), TokenOf(90'000));
  ASSERT_TRUE(low.has_value());
  EXPECT_NEAR(std::stod(low->at), 85'000, 3'500);
  EXPECT_FALSE(writers.Cut(TokenOf(100'000), "").has_value());
}

// Goal:   one key that is the load is recognised and named, and the cut says that it is useless;
//         keys that share a token count as one, since no cut parts them.
// Method: various shares of one key among many; then nothing but it.
TEST(Recent, RecognisesOneHotKey) {
  for (const int percent : {30, 65, 95, 100}) {
    SCOPED_TRACE(percent);
    Writers writers;
    writers.Run(
        [percent](Prng& prng) {
          return prng.Below(100) < static_cast<uint64_t>(percent) ? 77'777 : prng.Below(100'000);
        },
        300);
    const auto cut = writers.Cut();
    ASSERT_TRUE(cut.has_value());
    EXPECT_EQ(cut->one_key(), percent > 50);
    EXPECT_EQ(cut->key, "order:77777");
    EXPECT_EQ(cut->token, TokenOf(77'777));
    EXPECT_NEAR(cut->share, percent / 100.0, 0.12);
    if (percent == 100) {
      EXPECT_EQ(cut->at, "");
      EXPECT_EQ(cut->hotter(), 1);
    } else if (percent > 50) {
      EXPECT_GE(cut->hotter(), cut->share);
    }
  }
}

// Goal:   keys that grow with time are told from those that do not, wherever their load is.
// Method: a clock's keys, with some writes to old ones; then even, and skewed to the end.
TEST(Recent, TellsRisingTokens) {
  Writers writers;
  uint64_t clock = 0;
  const auto rising = [&clock](Prng& prng) {
    return prng.OneIn(10) ? prng.Below(++clock) : ++clock;
  };
  writers.Run(rising, 120);
  EXPECT_GT(writers.Cut()->rising, 0.8);
  for (const auto& load : {Even, Tail}) {
    Writers steady;
    steady.Run(load, 120);
    EXPECT_LT(steady.Cut()->rising, 0.15);
  }
}

// Goal:   what is said to help does: no cut is praised that parts one key or that time outruns, nor
//         what is on already.
// Method: every part of the load on one key, every part above what was; the cut is an even one.
TEST(Recent, SayWhatHelps) {
  EXPECT_THAT(WhatHelps(std::nullopt, false), HasSubstr("SLUICE HOTKEYS"));
  LoadCut one;
  one.share = 1;
  EXPECT_THAT(WhatHelps(one, false), HasSubstr("folding its writes or spreading"));
  EXPECT_THAT(WhatHelps(one, true), AllOf(HasSubstr("spreading"), Not(HasSubstr("folding"))));
  for (int percent = 0; percent <= 100; percent += 5) {
    LoadCut key;
    key.at = "m";
    key.below = 0.5;
    LoadCut tail = key;
    key.share = tail.rising = percent / 100.0;
    const bool parted = percent < 50;
    EXPECT_THAT(WhatHelps(key, false),
                HasSubstr(parted ? "can be parted at 50 %" : "one key takes"));
    EXPECT_THAT(WhatHelps(tail, false),
                HasSubstr(parted ? "can be parted at 50 %" : "keys grow with time"));
  }
}

// Goal:   a load that begins is known within a second, and parted within a few as well as ever.
TEST(Recent, KnowANewLoadAtOnce) {
  Writers writers;
  writers.Run(Even, 1);
  ASSERT_TRUE(writers.Cut().has_value());
  writers.Run(Even, 3);
  EXPECT_NEAR(std::stod(writers.Cut()->at), 50'000, 15'000);
}

// Goal:   what is known of a range outlives the split of its shard.
// Method: one shard becomes two with new ids; both halves can be cut at once.
TEST(Recent, OutlivesASplit) {
  Writers writers;
  writers.Run(Even, 300);
  writers.map = MapOf({"", TokenOf(50'000)}, 2);
  writers.Run(Even, 1);
  EXPECT_NEAR(std::stod(writers.Cut("", TokenOf(50'000))->at), 25'000, 8'000);
  EXPECT_NEAR(std::stod(writers.Cut(TokenOf(50'000), "")->at), 75'000, 8'000);
}

// Goal:   too few writes say nothing, and old ones are forgotten, with their memory.
// Method: one write fewer than needed; then silence.
TEST(Recent, SaysNothingOfWhatItDoesNotKnow) {
  Writers writers;
  EXPECT_FALSE(writers.Cut().has_value());
  writers.Run(Even, kCutSamplesLeast - 1, 1);
  EXPECT_FALSE(writers.Cut().has_value());
  writers.Run(Even, 1, 1);
  EXPECT_TRUE(writers.Cut().has_value());
  writers.Run(Even, kRecentSeconds + 1, 0);
  EXPECT_FALSE(writers.Cut().has_value());
}

// Goal:   a token that was not kept whole is never cut at: no key has it.
// Method: only such tokens, and then some that are whole.
TEST(Recent, CutsAtWholeTokensOnly) {
  Writers writers;
  std::vector<Sample> second;
  for (char c = 'a'; c <= 'z'; ++c) {
    Sample& sample = second.emplace_back();
    sample.keyspace = kOrders;
    sample.weight = 1;
    sample.token.assign(kTokenBytesKept, c);
  }
  for (int i = 0; i < 100; ++i) writers.recent.EndSecond(++writers.now_s, *writers.map, second);
  EXPECT_EQ(writers.Cut()->at, "");
  second.push_back({kOrders, 5, "mm", "k"});
  for (int i = 0; i < 100; ++i) writers.recent.EndSecond(++writers.now_s, *writers.map, second);
  EXPECT_EQ(writers.Cut()->at, "mm");
}

}  // namespace
}  // namespace sluice::heat
