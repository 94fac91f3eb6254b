// Once tokens over a node's whole life: what is remembered of them, and for how long.
#include "server/once.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/prng.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;

constexpr uint64_t kWindowMs = 10'000;

uint64_t OnceBytes(NodeFixture& node) {
  uint64_t bytes = 0;
  for (ingest::Lane* lane : node.node().lanes) bytes += lane->shards().once_bytes();
  return bytes;
}

std::string Once(int token, std::string_view value) {
  return Request({"SLUICE", "ONCE", fmt::format("token-{}", token), "SET",
                  fmt::format("key-{}", token % 17), value});
}

// Goal:   what the tokens take is given back when their window ended, wherever their rows lie by
//         then, however often they were used again, and across restarts; so new ones are taken.
// Method: for stores that must be asked on disk and such that need not be: random tokens out of
//         few, write buffers that reach the store now and then, restarts, time that passes; then
//         the window passes, and each lane sweeps.
TEST(OnceTokens, TakeNothingWhenTheirWindowHasPassed) {
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng random(seed);
    NodeOptions options{.lanes = 1 + seed % 2, .cold = seed % 4 < 2};
    options.limits.once_window_ms = kWindowMs;
    NodeFixture node(options);
    const int tokens = 1 + static_cast<int>(random.Below(800));
    uint64_t id = node.Connect();
    for (int step = 0; step < 30; ++step) {
      std::string batch;
      for (uint64_t i = random.Below(40); i > 0; --i) {
        batch += Once(static_cast<int>(random.Below(static_cast<uint64_t>(tokens))), "v");
      }
      const std::string replies = batch.empty() ? "" : node.Ask(id, batch);
      ASSERT_EQ(replies.find('-'), std::string::npos) << replies;
      if (random.OneIn(3)) node.StoreBuffers();
      if (random.OneIn(4)) node.Tick();
      if (random.OneIn(4)) node.clock().Advance(random.Below(kWindowMs) * 1000);
      if (random.OneIn(8)) {
        node.Sync();
        node.Restart();
        id = node.Connect();
      }
    }
    node.clock().Advance((kWindowMs + 1) * 1000);
    node.Tick();
    EXPECT_EQ(OnceBytes(node), 0u);
    // Nor is one of them left in the store.
    node.Sync();
    node.StoreBuffers();
    node.Restart();
    EXPECT_EQ(OnceBytes(node), 0u);
  }
}

// Goal:   a token that is used again after its window ended is remembered from its new use on, even
//         if only its first use had reached the store when the node stopped.
// Method: use, store, let the window end, use again, restart; the retry must be recognised until
//         the second window ends, and not after.
TEST(OnceTokens, AreRememberedFromTheirLastUseOnAcrossARestart) {
  for (const bool cold : {false, true}) {
    NodeOptions options{.cold = cold};
    options.limits.once_window_ms = kWindowMs;
    NodeFixture node(options);
    const std::string incr = Request({"SLUICE", "ONCE", "t", "INCR", "n"});
    EXPECT_EQ(node.Ask(node.Connect(), incr), ":1\r\n");
    node.StoreBuffers();
    node.clock().Advance((kWindowMs + 1) * 1000);
    EXPECT_EQ(node.Ask(node.Connect(), incr), ":2\r\n");
    node.Restart();
    node.Tick();
    EXPECT_EQ(node.Ask(node.Connect(), incr), ":2\r\n")
        << "forgotten at the end of the first window";
    node.clock().Advance((kWindowMs + 1) * 1000);
    node.Tick();
    EXPECT_EQ(OnceBytes(node), 0u);
    EXPECT_EQ(node.Ask(node.Connect(), incr), ":3\r\n");
  }
}

// Goal:   at the bound new tokens are refused, and are taken again when the window has passed.
// Method: one token after another until one is refused, with the rows in the store meanwhile.
TEST(OnceTokens, AreTakenAgainAfterTheBoundWasMet) {
  for (const bool cold : {false, true}) {
    NodeOptions options{.cold = cold};
    options.limits.once_window_ms = kWindowMs;
    options.limits.once_bytes = 10'000;
    NodeFixture node(options);
    const uint64_t id = node.Connect();
    for (int round = 0; round < 5; ++round) {
      int taken = 0;
      for (; taken < 1000; ++taken) {
        if (node.Ask(id, Once(taken, "v")) == "+OK\r\n") continue;
        EXPECT_THAT(node.Ask(id, Once(taken, "v")), HasSubstr("reason=once_bytes"));
        EXPECT_EQ(node.Ask(id, Once(0, "v")), "+OK\r\n") << "one that is known takes no more";
        break;
      }
      EXPECT_GT(taken, 50) << "round " << round;
      EXPECT_LT(taken, 1000);
      node.StoreBuffers();
      node.clock().Advance((kWindowMs + 1) * 1000);
      node.Tick();
    }
  }
}

}  // namespace
}  // namespace sluice::server
