#include "shard/parking.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/prng.h"

namespace sluice::shard {
namespace {

constexpr model::KeyspaceId kHere{3};

// Goal:   what waits for a key runs in the order in which it came, one holder at a time, whoever
//         holds again; other keys do not notice.
// Method: random holds, waiters that hold again for a while, and releases, on a few keys; each
//         waiter notes its number.
// Broken: Release going on while a waiter holds the key again.
TEST(Parking, RunsWaitersInOrderOneHolderAtATime) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Prng prng(seed);
    Parking parking;
    constexpr size_t kKeys = 3;
    std::vector<int> order[kKeys];
    bool holds[kKeys] = {};
    int next[kKeys] = {};
    const auto name = [](size_t key) { return "key" + std::to_string(key); };
    for (int step = 0; step < 500; ++step) {
      const size_t key = prng.Below(kKeys);
      if (holds[key] && prng.OneIn(3)) {
        holds[key] = false;
        parking.Release(kHere, name(key));
      } else if (!parking.Held(kHere, name(key))) {
        parking.Hold(kHere, name(key));
        holds[key] = true;
      } else {
        const int number = next[key]++;
        const bool again = prng.OneIn(2);
        parking.Wait(kHere, name(key), [&, key, number, again] {
          EXPECT_FALSE(holds[key]) << "a waiter ran while another held the key";
          order[key].push_back(number);
          if (!again) return;
          parking.Hold(kHere, name(key));
          holds[key] = true;
        });
      }
    }
    for (size_t key = 0; key < kKeys; ++key) {
      while (holds[key]) {
        holds[key] = false;
        parking.Release(kHere, name(key));
      }
      ASSERT_EQ(order[key].size(), static_cast<size_t>(next[key])) << "a waiter was forgotten";
      EXPECT_TRUE(std::is_sorted(order[key].begin(), order[key].end())) << "seed " << seed;
      EXPECT_FALSE(parking.Held(kHere, name(key)));
    }
    EXPECT_FALSE(parking.any());
  }
}

// Goal:   one key's name in two keyspaces is two keys.
TEST(Parking, KeepsKeyspacesApart) {
  Parking parking;
  parking.Hold(model::KeyspaceId(1), "k");
  EXPECT_TRUE(parking.Held(model::KeyspaceId(1), "k"));
  EXPECT_FALSE(parking.Held(model::KeyspaceId(2), "k"));
  parking.Release(model::KeyspaceId(1), "k");
  EXPECT_FALSE(parking.any());
}

}  // namespace
}  // namespace sluice::shard
