// What SLUICE HOTKEYS may say, over real sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;

// Goal:   HOTKEYS names no key of a write that a crash could still undo.
// Method: asked on every lane, of one to three, behind a write that is not durable, in the turn of
//         the write and in a later one; then the log is synced.
TEST(HotKeys, AreNamedOnceTheirWritesAreDurable) {
  for (size_t lanes = 1; lanes <= 3; ++lanes) {
    for (size_t home = 0; home < lanes; ++home) {
      for (const bool same_turn : {true, false}) {
        NodeFixture node({.lanes = lanes});
        const uint64_t id = node.Connect(home);
        std::string write;
        for (int i = 0; i < 10; ++i) write += Request({"SET", "secret", "x"});
        const std::string ask = Request({"SLUICE", "HOTKEYS"});
        node.Turn(home, id, same_turn ? write + ask : write);
        node.Settle();
        const uint64_t asker = same_turn ? id : node.Connect(home);
        if (!same_turn) node.Turn(home, asker, ask);
        node.Settle();
        EXPECT_EQ(node.Take(asker, home), "") << lanes << " " << home << same_turn;
        EXPECT_THAT(node.Rest(asker, home), HasSubstr("secret"));
      }
    }
  }
}

}  // namespace
}  // namespace sluice::server
