#include "heat/history.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "model/shard_map.h"

namespace sluice::heat {
namespace {

constexpr uint64_t kStartS = 1'800'000'000;

std::string TokenOf(uint64_t n) {
  return fmt::format("{:08}", n);
}

History Fixed(uint64_t buckets) {
  std::vector<std::string> cuts;
  for (uint64_t i = 1; i < buckets; ++i) cuts.push_back(TokenOf(i));
  return History(cuts, History::Cuts::kFixed, 1);
}

void Tell(History& history, uint64_t now_s, const std::vector<Sample>& samples) {
  std::vector<const Sample*> pointers;
  for (const Sample& sample : samples) pointers.push_back(&sample);
  history.EndSecond(now_s, pointers);
}

Sample Writes(uint64_t n, double weight) {
  Sample sample;
  sample.token = TokenOf(n);
  sample.weight = weight;
  return sample;
}

// Writes a second over all buckets and steps, times the length of a step.
double Sum(const Picture& picture) {
  double sum = 0;
  for (const auto& row : picture.codes) {
    for (const uint8_t code : row) sum += RateOf(code).value_or(0);
  }
  return sum * static_cast<double>(picture.step_s);
}

// Goal:   a byte tells a rate within 6 %, tells none from unknown, and halves and adds up.
// Method: rates over all magnitudes.
TEST(RateCode, TellsARateWithinSixPercent) {
  EXPECT_EQ(RateOf(kCodeUnknown), std::nullopt);
  EXPECT_EQ(CodeOf(0), kCodeNone);
  EXPECT_EQ(RateOf(kCodeNone), 0.0);
  EXPECT_EQ(CodeOf(1e300), 255);
  Prng prng(1);
  for (int i = 0; i < 10'000; ++i) {
    const double rate = kRateLeast * std::exp2(static_cast<double>(prng.Below(40'000)) / 1'000);
    ASSERT_NEAR(*RateOf(CodeOf(rate)), rate, 0.06 * rate);
    ASSERT_NEAR(*RateOf(HalfOf(CodeOf(rate))), rate / 2, std::max(0.06 * rate / 2, kRateLeast));
    const double other = rate * static_cast<double>(1 + prng.Below(1'000)) / 500;
    ASSERT_NEAR(*RateOf(SumOf(CodeOf(rate), CodeOf(other))), rate + other,
                0.12 * (rate + other) + kRateLeast);
  }
  EXPECT_EQ(SumOf(kCodeUnknown, kCodeNone), kCodeNone);
  EXPECT_EQ(SumOf(kCodeNone, kCodeNone), kCodeNone);
  EXPECT_EQ(HalfOf(kCodeUnknown), kCodeUnknown);
}

// Goal:   each resolution tells each step's rate, of as long as it is kept, through restarts; what
//         was not seen is unknown and not zero.
// Method: random rates of a month, with hours at which the node was down, against a list; encoded
//         and decoded now and then.
TEST(History, TellsEachStep) {
  Prng prng(5);
  History history = Fixed(3);
  std::map<uint64_t, double> minutes;  // rates of bucket 1
  uint64_t minute = kStartS / 60;
  for (const uint64_t end = minute + 29 * 24 * 60; minute < end; ++minute) {
    if (prng.OneIn(2'000)) minute += prng.Below(180);
    const auto rate = static_cast<double>(prng.OneIn(4) ? 0 : prng.Below(100'000));
    minutes[minute] = rate;
    for (const uint64_t second : {0, 17, 59}) {
      Tell(history, minute * 60 + second, {Writes(1, rate / 4), Writes(1, rate * 3 / 4)});
    }
    if (!prng.OneIn(500)) continue;
    Result<History> again = History::Decode(history.Encode(), 1);
    ASSERT_TRUE(again.has_value());
    history = std::move(*again);
  }
  const uint64_t now_s = history.now_s();
  for (size_t r = 0; r < kResolutions.size(); ++r) {
    const uint64_t length = kResolutions[r].seconds / 60;
    const Picture picture = history.Show(r, 0, ~uint64_t{0}, kBuckets);
    ASSERT_EQ(picture.steps, kResolutions[r].steps);
    EXPECT_EQ(picture.from_s + picture.steps * picture.step_s,
              (now_s / picture.step_s + 1) * picture.step_s);
    for (size_t i = 0; i < picture.steps; ++i) {
      double sum = 0;
      size_t known = 0;
      const uint64_t first = (picture.from_s + i * picture.step_s) / 60;
      for (auto at = minutes.lower_bound(first); at != minutes.lower_bound(first + length); ++at) {
        sum += at->second;
        ++known;
      }
      const std::optional<double> told = RateOf(picture.codes[1][i]);
      ASSERT_EQ(told.has_value(), known > 0) << kResolutions[r].name << " " << i;
      if (known > 0) {
        const double rate = sum / static_cast<double>(known);
        // Of a step with a gap, the mean of its parts is told, whatever they cover.
        const double off = known == length ? 0.13 : 0.6;
        ASSERT_NEAR(*told, rate, off * rate + 1) << kResolutions[r].name << " " << i;
        ASSERT_EQ(picture.codes[0][i], kCodeNone);
      }
    }
  }
}

// Goal:   only the part that was asked for is shown, and neighbours are added up to the number of
//         buckets that was asked for.
TEST(History, ShowsTheWindowThatIsAskedFor) {
  History history = Fixed(10);
  for (uint64_t s = 0; s < 7'200; ++s) {
    std::vector<Sample> samples;
    for (uint64_t n = 0; n < 10; ++n) samples.push_back(Writes(n, 100));
    Tell(history, kStartS + s, samples);
  }
  const Picture part = history.Show(0, kStartS + 600, kStartS + 1'210, 3);
  EXPECT_EQ(part.from_s, kStartS + 600);
  EXPECT_EQ(part.steps, 11u);
  EXPECT_EQ(part.begins, (std::vector<std::string>{"", TokenOf(4), TokenOf(8)}));
  EXPECT_NEAR(*RateOf(part.codes[0][5]), 400, 25);
  EXPECT_NEAR(*RateOf(part.codes[2][5]), 200, 13);
  for (const uint64_t to_s : {uint64_t{0}, kStartS - 1, kStartS + 600}) {
    EXPECT_EQ(history.Show(0, kStartS + 600, to_s, 3).steps, 0u) << to_s;
  }
  EXPECT_EQ(history.Show(0, kStartS + 10'000, ~uint64_t{0}, 3).steps, 0u);
}

// Goal:   a clock that steps back a little is waited for; one that had run far ahead is believed,
//         and what lay in its future is forgotten. Neither loops for long.
TEST(History, OutlivesClockSteps) {
  History history = Fixed(2);
  for (uint64_t s = 0; s < 600; ++s) Tell(history, kStartS + s, {Writes(0, 100)});
  Tell(history, kStartS + 300, {Writes(0, 100)});
  EXPECT_EQ(history.now_s(), kStartS + 599);
  const uint64_t year_s = 365 * 86'400;
  Tell(history, kStartS + year_s, {Writes(0, 100)});
  EXPECT_EQ(Sum(history.Show(2, 0, ~uint64_t{0}, 2)),
            Sum(history.Show(2, kStartS + year_s - 3'600, ~uint64_t{0}, 2)));
  Tell(history, kStartS + 700, {Writes(0, 100)});
  EXPECT_EQ(history.now_s(), kStartS + 700);
  const Picture picture = history.Show(0, 0, ~uint64_t{0}, 2);
  EXPECT_EQ(picture.from_s + picture.steps * 60, kStartS + 720);
  EXPECT_NEAR(*RateOf(picture.codes[0].back()), 100, 6);
}

struct Load {
  std::string name;
  std::function<uint64_t(Prng&, uint64_t second)> draw;
};
const std::vector<Load>& Loads() {
  static const std::vector<Load> loads = {
      {"even", [](Prng& prng, uint64_t) { return prng.Below(10'000'000); }},
      {"skewed",
       [](Prng& prng, uint64_t) {
         return static_cast<uint64_t>(std::exp(static_cast<double>(prng.Below(16'000)) / 1'000));
       }},
      {"a tail that grows", [](Prng& prng, uint64_t s) { return s * 1'000 + prng.Below(1'000); }},
      {"one key", [](Prng&, uint64_t) { return uint64_t{4'711}; }},
      {"moves",
       [](Prng& prng, uint64_t s) { return (s > 3'000 ? 5'000'000 : 0) + prng.Below(1'000'000); }},
  };
  return loads;
}

// Goal:   whatever the load, buckets come to have about equal parts of it, are never more than
//         kBuckets, and no write is lost or doubled by the cuts.
// Method: loads that are even, skewed, grow at the end, are one key, or move; the shares of the
//         last minutes' load, and the sum of everything, against what was written.
TEST(History, LearnsWhereTheLoadLies) {
  constexpr uint64_t kSeconds = 6'000, kPerSecond = 200;
  for (const Load& load : Loads()) {
    SCOPED_TRACE(load.name);
    Prng prng(9);
    History history({}, History::Cuts::kLearned, 3);
    for (uint64_t s = 0; s < kSeconds; ++s) {
      std::vector<Sample> samples;
      for (uint64_t i = 0; i < kPerSecond; ++i) {
        samples.push_back(Writes(load.draw(prng, s), 10));
      }
      Tell(history, kStartS + s, samples);
      ASSERT_LE(history.buckets(), kBuckets);
    }
    const double written = kSeconds * kPerSecond * 10.0;
    const Picture all = history.Show(0, 0, ~uint64_t{0}, kBuckets);
    EXPECT_NEAR(Sum(all), written, 0.06 * written);
    if (load.name == "one key") {
      EXPECT_EQ(history.buckets(), 2u);
      continue;
    }
    EXPECT_GT(history.buckets(), 400u);
    if (load.name == "a tail that grows") continue;  // its last minute lies where none was before
    double total = 0, hottest = 0;
    for (const auto& row : all.codes) {
      double recent = 0;
      for (size_t i = row.size() - 20; i < row.size(); ++i) recent += RateOf(row[i]).value_or(0);
      total += recent;
      hottest = std::max(hottest, recent);
    }
    EXPECT_LT(hottest / total, load.name == "skewed" ? 0.06 : 0.01);
  }
}

// Goal:   even cuts of hashes are as good from the first second on.
TEST(History, CutsHashesEvenly) {
  std::vector<std::string> cuts;
  for (uint32_t i = 1; i < kBuckets; ++i) cuts.push_back(model::EvenHashCut(i, kBuckets));
  History history(cuts, History::Cuts::kFixed, 1);
  Prng prng(2);
  std::vector<Sample> samples(100'000);
  for (Sample& sample : samples) {
    const uint64_t hash = prng();
    for (int shift = 56; shift >= 0; shift -= 8) {
      sample.token += static_cast<char>(hash >> shift);
    }
    sample.weight = 1;
  }
  Tell(history, kStartS, samples);
  const Picture picture = history.Show(0, 0, ~uint64_t{0}, kBuckets);
  ASSERT_EQ(picture.codes.size(), kBuckets);
  for (const auto& row : picture.codes) ASSERT_NEAR(RateOf(row.back()).value_or(-1), 100, 50);
  EXPECT_NEAR(Sum(picture), 100'000 * 60, 0.02 * 100'000 * 60);
}

// Goal:   a file comes back as it was, or is refused: any damage, any cut, a newer format.
// Method: every byte flipped, every length.
TEST(History, RefusesDamage) {
  History history = Fixed(2);
  for (uint64_t s = 0; s < 200; ++s) Tell(history, kStartS + s, {Writes(0, 100), Writes(1, 7)});
  const std::string bytes = history.Encode();
  EXPECT_EQ(History::Decode(bytes, 1)->Encode(), bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    ASSERT_FALSE(History::Decode(damaged, 1).has_value()) << i;
    ASSERT_FALSE(History::Decode(bytes.substr(0, i), 1).has_value()) << i;
  }
  std::string newer = bytes;
  newer[8] = 2;
  EXPECT_EQ(History::Decode(newer, 1).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace sluice::heat
