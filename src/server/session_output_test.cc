// What of its replies a connection may leave unread.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::EndsWith;

constexpr size_t kMiB = 1 << 20;
// The password is "secret".
constexpr const char* kPassword =
    "[user.app]\n"
    "password_sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n"
    "commands = [\"read\", \"write\"]\n";

std::string Bulk(std::string_view value) {
  return fmt::format("${}\r\n{}\r\n", value.size(), value);
}

// Goal:   a client that sends a long pipeline of reads and is slow to take the replies is read more
//         slowly, and served, on whatever lane its keys live and whether or not they must be
//         fetched first.
// Method: 1,000 reads of values from 1 KiB to 1 MiB at once; nothing is taken until nothing moves
//         any more; then all of it.
TEST(SessionOutput, IsPacedAlikeOnEveryRoad) {
  for (const size_t lanes : {1, 2}) {
    for (const bool cold : {false, true}) {
      for (const size_t size : {size_t{1} << 10, size_t{100} << 10, kMiB}) {
        SCOPED_TRACE(testing::Message() << lanes << " lanes, cold " << cold << ", " << size);
        NodeFixture node({.lanes = lanes, .cold = cold});
        const uint64_t id = node.Connect();
        for (const std::string_view key : {"k0", "k1", "k2", "k3"}) {
          node.Ask(id, Request({"SET", key, std::string(size, key[1])}));
        }
        node.StoreBuffers();
        std::string reads;
        const size_t count = size < kMiB ? 1000 : 200;
        for (size_t i = 0; i < count; ++i) reads += Request({"GET", fmt::format("k{}", i % 4)});
        node.Turn(0, id, reads);
        node.Settle();
        ASSERT_TRUE(node.Open(id));
        EXPECT_LE(node.connections().Find(id)->replies().bytes(), 3 * kOutputBytesAhead);
        size_t got = 0;
        for (int rounds = 0; rounds < 10'000 && got < count; ++rounds) {
          const std::string taken = node.Take(id);
          for (size_t at = 0; at < taken.size(); at += Bulk(std::string(size, 'x')).size(), ++got) {
            const std::string value(size, static_cast<char>('0' + got % 4));
            ASSERT_EQ(std::string_view(taken).substr(at, Bulk(value).size()), Bulk(value)) << got;
          }
          node.Settle();
        }
        EXPECT_EQ(got, count);
      }
    }
  }
}

// Goal:   the largest value that can be made can be read, also behind as many unread replies as a
//         connection may have when its command runs.
TEST(SessionOutput, HoldsTheLargestValue) {
  for (const size_t lanes : {1, 2}) {
    NodeFixture node({.lanes = lanes});
    const uint64_t id = node.Connect();
    const std::string end = std::to_string(command::kValueBytesMax - 1);
    node.Ask(id, Request({"SETRANGE", "k0", end, "x"}) + Request({"SETRANGE", "k1", end, "x"}));
    const std::string value(kMiB, 'v');
    node.Ask(id, Request({"SET", "v", value}));
    for (const std::string_view key : {"k0", "k1"}) {
      std::string reads;
      for (size_t i = 0; i < 3; ++i) reads += Request({"GET", "v"});
      node.Turn(0, id, reads + Request({"GET", key}) + "PING\r\n");
      std::string replies = node.Rest(id);
      ASSERT_TRUE(node.Open(id)) << key;
      EXPECT_EQ(replies.size(), 3 * Bulk(value).size() + command::kValueBytesMax + 13 + 7);
      EXPECT_THAT(replies.substr(replies.size() - 20), EndsWith("x\r\n+PONG\r\n"));
    }
  }
}

// Goal:   RESET does not cut off who had logged in: replies of before may be large.
TEST(SessionOutput, IsThatOfAUserAlsoAfterReset) {
  NodeFixture node({.config = kPassword});
  const uint64_t id = node.Connect();
  const std::string value(2 * kMiB, 'v');
  EXPECT_EQ(node.Ask(id, Request({"AUTH", "app", "secret"}) + Request({"SET", "k", value})),
            "+OK\r\n+OK\r\n");
  EXPECT_EQ(node.Ask(id, Request({"GET", "k"}) + "RESET\r\nPING\r\n"),
            Bulk(value) + "+RESET\r\n-NOAUTH Authentication required.\r\n");
  EXPECT_TRUE(node.Open(id));
}

// Goal:   CLIENT REPLY is as Redis has it: ON is answered even when its reply was to be skipped.
// Method: what redis-server 7.0.15 answered to the same scripts.
TEST(SessionOutput, SkipsRepliesAsRedisDoes) {
  const std::pair<std::string, std::string> scripts[] = {
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nECHO a\r\n", "+OK\r\n$1\r\na\r\n"},
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nECHO b\r\nECHO c\r\n", "$1\r\nc\r\n"},
      {"CLIENT REPLY SKIP\r\nRESET\r\nECHO d\r\n", "$1\r\nd\r\n"},
      {"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nECHO e\r\nCLIENT REPLY ON\r\nECHO f\r\n",
       "+OK\r\n$1\r\nf\r\n"},
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY bad\r\nECHO g\r\n", "$1\r\ng\r\n"},
      {"CLIENT REPLY SKIP\r\nCLIENT REPLY OFF\r\nECHO h\r\nRESET\r\nECHO i\r\n",
       "+RESET\r\n$1\r\ni\r\n"},
      {"CLIENT REPLY OFF\r\nNOSUCH\r\nCLIENT REPLY ON\r\nECHO j\r\n", "+OK\r\n$1\r\nj\r\n"},
      {"CLIENT REPLY SKIP\r\nNOSUCH x\r\nECHO k\r\n", "$1\r\nk\r\n"},
      {"CLIENT REPLY SKIP\r\nGET none\r\nMGET k1 k2 k3\r\n", "*3\r\n$-1\r\n$-1\r\n$-1\r\n"},
  };
  for (const size_t lanes : {1, 3}) {
    for (const auto& [script, replies] : scripts) {
      NodeFixture node({.lanes = lanes});
      EXPECT_EQ(node.Ask(node.Connect(), script), replies) << script;
    }
  }
}

}  // namespace
}  // namespace sluice::server
