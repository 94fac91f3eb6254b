#include "store/row_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "base/prng.h"

namespace sluice::store {
namespace {

using model::Turn;

std::string Key(uint64_t n) {
  return "key" + std::to_string(n);
}

// Goal:   whatever it is told and whatever it drops, it never says what the store does not say; and
//         it stays within its bound.
// Method: runs that put, delete and clear, of all sizes about the bound, and answers as a map has
//         them, kept as they would be asked for; bounds from nothing to more than all of it.
TEST(RowCache, SaysOnlyWhatTheStoreWouldSay) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng random(seed);
    const size_t bytes_max = seed % 6 * 40'000;
    RowCache cache(bytes_max);
    std::map<std::string, std::string> stored;
    uint64_t known = 0;
    for (int step = 0; step < 4000; ++step) {
      const std::string key = Key(random.Below(60));
      if (random.OneIn(40)) {
        auto run = std::make_shared<Buffer>();
        for (uint64_t n = random.Below(40); n > 0; --n) {
          const std::string other = Key(random.Below(60));
          if (random.OneIn(8)) {
            const std::string end = Key(random.Below(60));
            run->ClearRange(other, end, Turn(1));
            if (other < end) stored.erase(stored.lower_bound(other), stored.lower_bound(end));
          } else if (random.OneIn(4)) {
            run->Delete(other, Turn(1));
            stored.erase(other);
          } else {
            stored[other] = std::string(random.Below(5000), static_cast<char>(step));
            run->Put(other, stored[other], Turn(1));
          }
        }
        cache.Stored(run);
      }
      const auto at = stored.find(key);
      std::string row;
      const Answer answer = cache.Find(key, &row);
      if (answer != Answer::kCold) {
        ++known;
        ASSERT_EQ(answer == Answer::kFound, at != stored.end());
        if (at != stored.end()) {
          ASSERT_EQ(row, at->second);
        }
      } else if (at == stored.end()) {
        cache.KeepMissing(key);
      } else {
        cache.KeepRow(key, at->second);
      }
      // What is allocated ahead comes on top (Buffer::bytes).
      ASSERT_LE(cache.bytes(), bytes_max + RowCache::kRowBytesMax + 100'000);
    }
    EXPECT_TRUE(bytes_max == 0 || known > 400) << known;
  }
}

// Goal:   what is asked for again and again stays, however many runs arrive.
TEST(RowCache, KeepsWhatIsAskedFor) {
  RowCache cache(300'000);
  cache.KeepRow("asked", "row");
  cache.KeepRow("forgotten", "row");
  std::string row;
  for (uint64_t i = 0; i < 20; ++i) {
    auto run = std::make_shared<Buffer>();
    run->Put(Key(i), std::string(1000, 'x'), Turn(1));
    cache.Stored(run);
    ASSERT_EQ(cache.Find("asked", &row), Answer::kFound);
    ASSERT_EQ(row, "row");
  }
  EXPECT_EQ(cache.Find("forgotten", &row), Answer::kCold);
}

}  // namespace
}  // namespace sluice::store
