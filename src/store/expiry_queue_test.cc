#include "store/expiry_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/prng.h"

namespace sluice::store {
namespace {

// Goal:   keys come out once, at the time they were given last, soonest first; never before. The
//         sizes add up to those given last.
// Method: random additions, changes, removals and pops against a map of key to time.
TEST(ExpiryQueue, GivesBackEachKeyAtItsLastTime) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng random(seed);
    ExpiryQueue queue;
    std::map<std::string, uint64_t> times;
    std::map<std::string, size_t> sizes;
    uint64_t now = 1;
    for (int step = 0; step < 4000; ++step) {
      const std::string key = "key" + std::to_string(random.Below(200));
      if (random.OneIn(20)) {
        now += random.Below(200);
        const size_t max = random.Below(30);
        const auto due = queue.PopDue(now, max);
        ASSERT_LE(due.size(), max);
        uint64_t before = 0;
        for (const std::string& popped : due) {
          ASSERT_TRUE(times.contains(popped));
          ASSERT_LE(before, times[popped]);
          ASSERT_LE(times[popped], now);
          before = times[popped];
          times.erase(popped);
          sizes.erase(popped);
        }
        for (const auto& [left, time] : times) {
          if (due.size() < max) {
            ASSERT_GT(time, now) << left << " was due";
          } else {
            ASSERT_GE(time, before) << left << " was due sooner";
          }
        }
      } else if (random.OneIn(5)) {
        queue.Add(0, key);
        times.erase(key);
        sizes.erase(key);
      } else {
        const uint64_t time = now + random.Below(1000);
        const size_t row_bytes = random.Below(100);
        queue.Add(time, key, row_bytes);
        times[key] = time;
        sizes[key] = key.size() + row_bytes;
      }
      ASSERT_EQ(queue.size(), times.size()) << "a key stands in it twice or not at all";
      ASSERT_EQ(queue.Contains(key), times.contains(key));
      size_t stored = 0;
      for (const auto& [left, bytes] : sizes) stored += bytes;
      ASSERT_EQ(queue.stored_bytes(), stored);
    }
    queue.Clear();
    EXPECT_EQ(queue.size(), 0u);
    EXPECT_EQ(queue.bytes(), 0u);
    EXPECT_EQ(queue.stored_bytes(), 0u);
    EXPECT_TRUE(queue.PopDue(~uint64_t{0}, 100).empty());
  }
}

// Goal:   one key that is given a new time again and again takes the memory of one.
TEST(ExpiryQueue, HoldsAKeyOnce) {
  ExpiryQueue queue;
  queue.Add(1, "key");
  const size_t bytes = queue.bytes();
  for (uint64_t i = 2; i < 10000; ++i) queue.Add(i, "key");
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.bytes(), bytes);
  EXPECT_TRUE(queue.PopDue(9998, 10).empty());
  EXPECT_EQ(queue.PopDue(9999, 10).size(), 1u);
}

}  // namespace
}  // namespace sluice::store
