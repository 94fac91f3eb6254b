// What all clients hold together is bounded, at the expense of those that hold most.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/allocations_test.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr size_t kLimit = 4 << 20;
constexpr size_t kClients = 60;

std::string HalfACommand(size_t bytes) {
  return Request({"SET", "half", std::string(bytes, 'x')}).substr(0, bytes);
}

// Ends what is over, as the owner of the sockets does.
void Serve(NodeFixture& node, std::vector<uint64_t>* ids) {
  node.connections().EndLargest();
  std::erase_if(*ids, [&](uint64_t id) {
    Session* const session = node.connections().Find(id);
    const bool told = session->lingers();
    if (told) {
      EXPECT_THAT(node.Take(id), StartsWith("-OVERLOADED reason=clients class=normal "));
    }
    EXPECT_EQ(session->Finished(), told || session->dead());
    if (node.Open(id)) return false;
    node.connections().Close(id);
    return true;
  });
}

// Goal:   the bound holds whatever the clients hold, those that hold little are served on, and all
//         is given back when the connections end.
// Method: one small client among many that send half a command, many times as much as fits in all;
//         then among many that ask for much and take nothing.
// Broken: without EndLargest, or if Touch did not count.
TEST(ClientMemory, EndsThoseThatHoldMost) {
  for (const bool input : {true, false}) {
    NodeFixture node;
    ClientMemory& memory = node.context().client_memory;
    memory.Limit(kLimit);
    const uint64_t small = node.Connect();
    EXPECT_EQ(node.Ask(small, Request({"SET", "big", std::string(1 << 20, 'y')})), "+OK\r\n");
    std::vector<uint64_t> ids;
    for (size_t i = 0; i < kClients; ++i) {
      ids.push_back(node.Connect());
      const std::string bytes = input ? HalfACommand(300'000 + i * 1000)
                                      : Request({"GET", "big"}) + Request({"GET", "big"});
      node.Turn(0, ids.back(), bytes);
      Serve(node, &ids);
      ASSERT_LE(memory.used(), kLimit + (2 << 20)) << "client " << i;
      ASSERT_EQ(node.Ask(small, Request({"PING"})), "+PONG\r\n") << "client " << i;
      Serve(node, &ids);
      ASSERT_LE(memory.used(), kLimit);
    }
    EXPECT_LT(ids.size(), kClients);
    EXPECT_GT(ids.size(), 0u);
    EXPECT_EQ(node.connections().meters().overflows.value(), kClients - ids.size());
    for (const uint64_t id : ids) node.connections().Close(id);
    EXPECT_EQ(memory.used(), 0u);
  }
}

// Goal:   a command that never fits is told so, at once, and one that would fit alone is told to
//         come again; what ran before it is answered first, and nothing of it is applied.
// Method: commands that are cut off below and above all that clients may hold, behind one that
//         runs.
TEST(ClientMemory, AnswersACommandThatHasNoRoom) {
  for (const bool never : {false, true}) {
    NodeFixture node;
    ClientMemory& memory = node.context().client_memory;
    memory.Limit(kLimit);
    const uint64_t id = node.Connect();
    uint64_t told = 0;
    if (!never) memory.Hold(kLimit, &told);  // somebody on another lane
    node.Turn(0, id, Request({"INCR", "n"}) + HalfACommand(never ? kLimit + (1 << 20) : 1 << 20));
    node.connections().EndLargest();
    const std::string replies = node.Rest(id);
    EXPECT_THAT(replies, StartsWith(":1\r\n-"));
    EXPECT_THAT(replies, HasSubstr(never ? "\n-ERR a command of more than 4194304 bytes"
                                         : "\n-OVERLOADED reason=clients class=normal retry_ms="));
    EXPECT_TRUE(node.connections().Find(id)->lingers());
    EXPECT_FALSE(node.Open(id));
    EXPECT_LE(memory.used(), never ? 0 : kLimit) << "what came of it is given back";
    node.connections().Close(id);
    memory.Hold(0, &told);
    const uint64_t after = node.Connect();
    EXPECT_EQ(node.Ask(after, Request({"EXISTS", "half"})), ":0\r\n");
  }
}

// Goal:   while memory is full nothing is lost: what came runs when there is room again.
TEST(ClientMemory, WhatCameRunsLater) {
  NodeFixture node;
  ClientMemory& memory = node.context().client_memory;
  memory.Limit(kLimit);
  const uint64_t id = node.Connect();
  uint64_t told = 0;
  memory.Hold(2 * kLimit, &told);  // somebody on another lane
  node.Turn(0, id, Request({"INCR", "n"}) + Request({"INCR", "n"}));
  node.Turn(0);
  node.Sync();
  EXPECT_EQ(node.Take(id), "");
  memory.Hold(0, &told);
  EXPECT_EQ(node.Rest(id), ":1\r\n:2\r\n");
}

// Goal:   memory that is not counted as a client's is not held for it either: neither behind a
//         large command, when the next has come in part, nor before the rest of a large reply.
// Method: commands and replies of growing sizes, all but a little of them gone; what the process
//         has allocated since.
TEST(ClientMemory, HoldsNoMoreThanIsCounted) {
  constexpr size_t kSlack = 128 << 10;
  for (const size_t size : {200'000u, 1'000'000u, 8'000'000u}) {
    for (const bool input : {true, false}) {
      NodeFixture node;
      const uint64_t id = node.Connect();
      const std::string large = Request({"ECHO", std::string(size, 'x')});
      const std::string half = large.substr(large.size() / 2) + (input ? "*2\r\n$4\r\nEC" : "");
      node.Ask(id, Request({"PING"}));
      const uint64_t before = AllocatedBytes();
      node.Turn(0, id, std::string_view(large).substr(0, large.size() / 2));
      node.Turn(0, id, half);
      const size_t reply = node.connections().Output(id, node.committer().durable()).size();
      ASSERT_GT(reply, size);
      node.connections().Sent(id, reply - (input ? 0 : 100));
      EXPECT_LT(node.context().client_memory.used(), kSlack);
      EXPECT_LT(AllocatedBytes() - before, kSlack) << size << (input ? " came" : " left");
    }
  }
}

}  // namespace
}  // namespace sluice::server
