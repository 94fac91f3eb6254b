#include "store/key_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "store/buffer.h"

namespace sluice::store {
namespace {

uint32_t Hash(uint64_t n) {
  return HashedKey::HashOf("key:" + std::to_string(n));
}

// Goal:   a key that was added is never denied, whoever adds beside it; of others few pass while
//         there is room, and about one in five at the bound that is promised.
// Method: two threads add the even and the odd keys into the same lines; then all are asked for,
//         and as many strangers.
TEST(KeyFilter, DeniesNoKeyThatItHolds) {
  constexpr uint64_t kBytes = 64 << 10;
  struct Case {
    uint64_t keys;
    double passes_most;
  };
  for (const Case& c : {Case{1, 0}, Case{kBytes / 2, 0.002}, Case{kBytes * 4 / 5, 0.02},
                        Case{kBytes * KeyFilter::kKeysPerByte, 0.28}}) {
    KeyFilter filter(kBytes);
    const auto add = [&](uint64_t from) {
      for (uint64_t i = from; i < c.keys; i += 2) filter.Add(Hash(i));
    };
    std::thread odd(add, 1);
    add(0);
    odd.join();
    for (uint64_t i = 0; i < c.keys; ++i) ASSERT_TRUE(filter.MayHold(Hash(i))) << i;
    uint64_t passed = 0;
    for (uint64_t i = 0; i < 100'000; ++i)
      passed += filter.MayHold(Hash(1'000'000'000 + i)) ? 1 : 0;
    EXPECT_LE(static_cast<double>(passed), c.passes_most * 100'000) << c.keys << " keys";
  }
}

// Goal:   without memory it denies nothing.
TEST(KeyFilter, LetsEverythingPassWithoutMemory) {
  KeyFilter filter(0);
  filter.Prefetch(Hash(1));
  filter.Add(Hash(1));
  EXPECT_TRUE(filter.MayHold(Hash(2)));
}

}  // namespace
}  // namespace sluice::store
