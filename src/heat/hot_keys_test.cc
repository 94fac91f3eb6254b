#include "heat/hot_keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/prng.h"

namespace sluice::heat {
namespace {

constexpr model::KeyspaceId kLikes(1);
constexpr uint64_t kStartUs = 5'000'000'000;

uint64_t HashOf(uint64_t key) {
  return Prng(key)();
}

// Writes of keys 0, 1, 2 …, each with its own rate, in simulated time.
struct Writers {
  std::vector<double> rates;  // per second
  uint64_t now_us = kStartUs;
  Prng prng{1};

  void Run(HotKeys& keys, uint64_t us) {
    double all = 0;
    for (const double rate : rates) all += rate;
    for (const uint64_t end = now_us + us; now_us < end;) {
      now_us += static_cast<uint64_t>(std::ceil(1e6 / all));
      double at = static_cast<double>(prng.Below(1'000'000'000)) / 1e9 * all;
      size_t key = 0;
      while (key + 1 < rates.size() && at >= rates[key]) at -= rates[key++];
      keys.Add(kLikes, key % 7, fmt::format("likes:{}", key), HashOf(key), 1, now_us);
    }
  }
};

// Goal:   a key with more than its share of all writes is named within a second, with its rate; one
//         that has cooled off is gone within seconds; whatever the others do.
// Method: one hot key of various shares among ten thousand keys that are equal or one scan of keys
//         that never come twice; then another key is the hot one.
TEST(HotKeys, NamesWhatIsHotWithinASecond) {
  for (const double share : {0.02, 0.1, 0.5, 0.95}) {
    for (const bool scan : {false, true}) {
      SCOPED_TRACE(fmt::format("{} of all, {}", share, scan ? "scan" : "many"));
      constexpr double kAll = 20'000;
      HotKeys keys(256);
      uint64_t now_us = kStartUs, fresh = 1'000'000;
      Prng prng(7);
      const auto run = [&](size_t hot, uint64_t us) {
        for (const uint64_t end = now_us + us; now_us < end; now_us += 50) {
          const bool is_hot = prng.Below(1'000'000) < share * 1'000'000;
          const uint64_t key = is_hot ? hot : scan ? ++fresh : 100 + prng.Below(10'000);
          keys.Add(kLikes, 3, fmt::format("likes:{}", key), HashOf(key), 1, now_us);
        }
      };
      run(1, 1'000'000);
      std::vector<HotKey> top = keys.Top(1, now_us);
      ASSERT_EQ(top.size(), 1u);
      EXPECT_EQ(top[0].key, "likes:1");
      EXPECT_NEAR(top[0].per_second, share * kAll / 2, share * kAll * 0.15 + top[0].error);
      run(1, 6'000'000);
      top = keys.Top(3, now_us);
      EXPECT_EQ(top[0].key, "likes:1");
      EXPECT_EQ(top[0].shard, 3u);
      EXPECT_NEAR(top[0].per_second, share * kAll, share * kAll * 0.15 + top[0].error);
      run(2, 8'000'000);
      top = keys.Top(1, now_us);
      EXPECT_EQ(top[0].key, "likes:2");
    }
  }
}

// Goal:   every key with more than 1/capacity of the weight is there, its rate too high by no more
//         than its error and never too low, hottest first; memory stays bounded.
// Method: Zipf-like rates of various steepness against exact counts that fade the same way.
TEST(HotKeys, AreNeverRatedTooLow) {
  for (const double steepness : {0.5, 0.99, 1.5}) {
    for (const size_t capacity : {size_t{8}, size_t{64}, size_t{256}}) {
      HotKeys keys(capacity);
      std::map<std::string, double> exact;  // weight at kStartUs
      double all = 0;
      Prng prng(capacity);
      std::vector<double> sums;
      for (size_t i = 1; i <= 2'000; ++i) {
        sums.push_back((sums.empty() ? 0 : sums.back()) +
                       1 / std::pow(static_cast<double>(i), steepness));
      }
      uint64_t now_us = kStartUs;
      for (int i = 0; i < 40'000; ++i) {
        now_us += 100;
        const double at = static_cast<double>(prng.Below(1 << 30)) / (1 << 30) * sums.back();
        const auto key =
            static_cast<uint64_t>(std::lower_bound(sums.begin(), sums.end(), at) - sums.begin());
        const std::string name = fmt::format("likes:{}", key);
        keys.Add(kLikes, 0, name, HashOf(key), 1, now_us);
        const double weight = std::exp2(static_cast<double>(now_us - kStartUs) / kHalfLifeUs);
        exact[name] += weight;
        all += weight;
      }
      const double per_second =
          std::numbers::ln2 / std::exp2(static_cast<double>(now_us - kStartUs) / kHalfLifeUs);
      const std::vector<HotKey> top = keys.Top(10'000, now_us);
      ASSERT_EQ(top.size(), capacity);
      std::map<std::string, const HotKey*> found;
      for (size_t i = 0; i < top.size(); ++i) {
        found[top[i].key] = &top[i];
        EXPECT_LE(top[i].per_second, top[i == 0 ? 0 : i - 1].per_second);
      }
      for (const auto& [name, weight] : exact) {
        const auto at = found.find(name);
        if (at == found.end()) {
          ASSERT_LE(weight, all / static_cast<double>(capacity)) << name;
          continue;
        }
        EXPECT_GE(at->second->per_second, weight * per_second * 0.999);
        EXPECT_LE(at->second->per_second - at->second->error, weight * per_second * 1.001);
      }
    }
  }
}

// Goal:   counts live through what time does to them: long silence, and a long steady run.
// Method: silence of various length, then one key; a run over many times kHalfLifeUs.
TEST(HotKeys, OutliveSilenceAndLongRuns) {
  for (const uint64_t silence_us : {uint64_t{1}, uint64_t{39'000'000}, uint64_t{41'000'000},
                                    uint64_t{3'600'000'000}, uint64_t{1} << 50}) {
    HotKeys keys(4);
    Writers writers{{100, 100, 100, 100, 100, 100}};
    writers.Run(keys, 2'000'000);
    writers.now_us += silence_us;
    writers.rates = {0, 0, 0, 0, 0, 0, 0, 500};
    writers.Run(keys, 3'000'000);
    const std::vector<HotKey> top = keys.Top(1, writers.now_us);
    EXPECT_EQ(top[0].key, "likes:7");
    EXPECT_NEAR(top[0].per_second, 440, 120);
  }
  HotKeys keys(4);
  Writers steady{{300, 100}};
  steady.Run(keys, 300'000'000);
  const std::vector<HotKey> top = keys.Top(2, steady.now_us);
  EXPECT_NEAR(top[0].per_second, 300, 60);
  EXPECT_NEAR(top[1].per_second, 100, 50);
}

// Goal:   a key's share is of its own shard, and right as soon as there are writes enough to tell:
//         it does not wait for the rates to be.
// Method: keys of known rates on seven shards; looked at early, and behind a rebase.
TEST(HotKeys, KnowTheirSharesFromTheFirstWritesOn) {
  HotKeys keys(16);
  Writers writers{{900, 500, 500, 0, 0, 0, 0, 100, 500}};  // key k is of shard k % 7
  writers.Run(keys, 100'000);
  for (const uint64_t then_us : {0, 900'000, 60'000'000}) {
    writers.Run(keys, then_us);
    std::map<std::string, double> shares;
    for (const HotKey& key : keys.Top(16, writers.now_us)) shares[key.key] = key.share;
    EXPECT_NEAR(shares["likes:0"], 0.9, 0.07);
    EXPECT_NEAR(shares["likes:7"], 0.1, 0.07);
    EXPECT_NEAR(shares["likes:1"], 0.5, 0.2);
    EXPECT_NEAR(shares["likes:8"], 0.5, 0.2);
    EXPECT_DOUBLE_EQ(shares["likes:2"], 1);
  }
}

TEST(HotKeys, KeepTheBeginningOfLongKeys) {
  HotKeys keys(2);
  keys.Add(kLikes, 0, std::string(60'000, 'k'), 1, 1, kStartUs);
  EXPECT_EQ(keys.Top(1, kStartUs)[0].key, std::string(kKeyBytesKept, 'k'));
  EXPECT_TRUE(keys.Top(0, kStartUs).empty());
}

}  // namespace
}  // namespace sluice::heat
