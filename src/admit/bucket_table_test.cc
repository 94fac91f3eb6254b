#include "admit/bucket_table.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/prng.h"

namespace sluice::admit {
namespace {

constexpr model::Rate kRate{100, 1, 10};

// Goal:   forgetting a full bucket is exact: every name is admitted as if it had one of its own.
// Method: many more names than places come and go, each with few writes, so that at no time more
//         are in debt than there are places; each is compared with a bucket of its own.
TEST(BucketTable, IsAsIfEveryNameHadOne) {
  BucketTable table;
  std::map<uint64_t, FullAt> own;
  const Pace pace = PaceOf(kRate);
  Prng prng(1);
  uint64_t now = TicksOf(1'000'000);
  const uint64_t debts =
      2'000;  // names that write in one time that a bucket takes to be full again
  for (int i = 0; i < 300'000; ++i) {
    now += pace.full() / debts;
    const uint64_t name = prng.OneIn(3) ? 1 + prng.Below(20) : prng();
    const uint64_t writes = 1 + prng.Below(kRate.burst);
    const bool wanted = Take(own[name], pace, writes, now).yes;
    ASSERT_EQ(Take(table.Find(name, now), pace, writes, now).yes, wanted) << i;
    if (own.size() > 10'000) std::erase_if(own, [&](const auto& one) { return one.second < now; });
  }
  EXPECT_EQ(table.forgotten(), 0u);
}

// Goal:   at its bound the table takes no more memory, a new name always gets a bucket, and the one
//         with the most debt is the last to be forgotten: who writes too much stays refused.
// Method: one name is kept empty; a hundred times as many names as there are places write once.
TEST(BucketTable, ForgetsTheLeastDebt) {
  BucketTable table;
  const Pace pace = PaceOf(kRate);
  const uint64_t now = TicksOf(1'000'000), greedy = 7;
  ASSERT_TRUE(Take(table.Find(greedy, now), pace, kRate.burst, now).yes);
  for (uint64_t name = 8; name < 8 + BucketTable::kSets * BucketTable::kWays * 3; ++name) {
    ASSERT_TRUE(Take(table.Find(name, now), pace, 1, now).yes);
    ASSERT_FALSE(Take(table.Find(greedy, now), pace, 1, now).yes);
  }
  EXPECT_GT(table.forgotten(), BucketTable::kSets * BucketTable::kWays);
}

// Goal:   lanes that use the table together count every write once, but for one write each at the
//         moment when a place is claimed.
// Method: four threads write to few names of one set, then to one; what was admitted is counted.
TEST(BucketTable, IsSharedByLanes) {
  constexpr size_t kLanes = 4;
  constexpr uint64_t kNames = 6, kTries = 20'000;
  BucketTable table;
  const model::Rate rate{1, 3'600, 24};
  const Pace pace = PaceOf(rate);
  const uint64_t now = TicksOf(1'000'000);
  std::atomic<uint64_t> admitted[kNames] = {};
  std::vector<std::thread> lanes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    lanes.emplace_back([&] {
      for (uint64_t i = 0; i < kTries; ++i) {
        const uint64_t name = 5 + BucketTable::kSets * (i % kNames);
        if (Take(table.Find(name, now), pace, 1, now).yes) ++admitted[i % kNames];
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
  for (const auto& count : admitted) {
    EXPECT_GE(count, rate.burst - kLanes);
    EXPECT_LE(count, rate.burst + kLanes);
  }
}

}  // namespace
}  // namespace sluice::admit
