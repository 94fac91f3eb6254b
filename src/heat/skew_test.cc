#include "heat/skew.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::heat {
namespace {

// Goal:   one hot shard is seen whatever the average says; even shards have no skew; where nothing
//         can be said nothing is.
// Method: the worked example of one seller at 25,000 among ten shards at 9,500, and sweeps of the
//         number of shards and of how much hotter one of them is.
TEST(Skew, IsTheHottestByTheMean) {
  std::vector<double> example(11, 9'500);
  example[4] = 25'000;
  const std::optional<Skew> found = SkewOf(example);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->hottest, 4u);
  EXPECT_NEAR(found->times, 25'000 / 10'909.0, 0.01);
  for (const size_t shards : {2, 3, 16, 1'000}) {
    for (const double hotter : {1.0, 1.5, 10.0, 1e6}) {
      std::vector<double> writes(shards, 200);
      writes[shards / 2] *= hotter;
      const std::optional<Skew> skew = SkewOf(writes);
      ASSERT_TRUE(skew.has_value());
      const double mean = (200 * hotter + 200 * static_cast<double>(shards - 1)) / shards;
      EXPECT_NEAR(skew->times, 200 * hotter / mean, 1e-9);
      if (hotter > 1) {
        EXPECT_EQ(skew->hottest, shards / 2);
      }
    }
  }
  EXPECT_FALSE(SkewOf({}).has_value());
  EXPECT_FALSE(SkewOf(std::vector<double>{1e9}).has_value());
  EXPECT_FALSE(SkewOf(std::vector<double>{0, 0, 0}).has_value());
  EXPECT_FALSE(SkewOf(std::vector<double>{99, 0}).has_value());
}

// Goal:   a skew is warned of once, after ten seconds of it, and again only after it was gone as
//         long; one that comes and goes, or of few writes, is not.
// Method: all three by the second.
TEST(SkewAlarm, SoundsOncePerSkewThatHolds) {
  const Skew strong{0, 5'000, 3, 8}, weak{0, 5'000, 1.9, 8}, tiny{0, 500, 8, 8};
  SkewAlarm alarm;
  for (int second = 0; second < 9; ++second) EXPECT_FALSE(alarm.Look(strong));
  EXPECT_TRUE(alarm.Look(strong));
  for (int second = 0; second < 100; ++second) EXPECT_FALSE(alarm.Look(strong));
  for (int second = 0; second < 9; ++second) EXPECT_FALSE(alarm.Look(std::nullopt));
  for (int second = 0; second < 100; ++second) EXPECT_FALSE(alarm.Look(strong));
  for (int second = 0; second < 10; ++second) EXPECT_FALSE(alarm.Look(weak));
  for (int second = 0; second < 9; ++second) EXPECT_FALSE(alarm.Look(strong));
  EXPECT_TRUE(alarm.Look(strong));
  SkewAlarm other;
  for (int second = 0; second < 100; ++second) {
    EXPECT_FALSE(other.Look(second % 9 == 0 ? weak : strong));
    EXPECT_FALSE(SkewAlarm().Look(tiny));
  }
}

// Goal:   however few shards there are, one that has most of the load is not hidden by the mean
//         that it makes; one that has not is not called hot.
// Method: two to twenty shards, one of which has every multiple of what each other has.
TEST(SkewAlarm, IsNotFooledByAMeanThatTheHotShardMakes) {
  for (size_t shards = 2; shards <= 20; ++shards) {
    for (int percent = 100; percent <= 1'000; percent += 10) {
      std::vector<double> writes(shards, 2'000);
      writes[1] *= percent / 100.0;
      SkewAlarm alarm;
      bool warned = false;
      for (int second = 0; second < 10; ++second) warned = alarm.Look(SkewOf(writes));
      if (percent >= 200 && percent <= 300) continue;
      EXPECT_EQ(warned, percent > 300) << shards << ' ' << percent;
    }
  }
}

}  // namespace
}  // namespace sluice::heat
