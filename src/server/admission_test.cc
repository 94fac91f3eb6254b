// Who is held back and who is refused when the log stands still, over real sessions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using model::Priority;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kKeyspaces = R"toml(
[keyspace.orders]
key = "order:{n}"
priority = "critical"
[keyspace.sessions]
key = "session:{n}"
[keyspace.likes]
key = "like:{n}"
priority = "low"
)toml";

// A node whose log has stood still for long enough to be found out.
class Stuck : public testing::TestWithParam<size_t> {
 protected:
  Stuck() {
    node_.Turn(0, node_.Connect(), Request({"SET", "order:0", "x"}));
    Turns(300);
    EXPECT_TRUE(budget().limited());
    EXPECT_EQ(budget().cause(), admit::Cause::kLog);
  }
  admit::Budget& budget() { return node_.node().budget; }
  // One millisecond each.
  void Turns(int n) {
    for (int i = 0; i < n; ++i) {
      for (size_t lane = 0; lane < GetParam(); ++lane) node_.Turn(lane);
    }
  }
  uint64_t Send(std::initializer_list<std::string_view> command) {
    const uint64_t id = node_.Connect();
    node_.Turn(0, id, Request(command));
    return id;
  }
  uint64_t held(Priority priority) { return node_.connections().meters().held[priority].value(); }

  NodeFixture node_{{.lanes = GetParam(), .config = kKeyspaces, .sheds = true}};
};

// Goal:   what matters less waits first and is refused first, with its reason; critical writes and
//         all reads go on; nothing that was refused is applied, all that was not is, once the log
//         moves again.
// Method: a write of each class, a read, a write over two classes, one under a token, one of a
//         connection in the background, on one lane and on three; look after each patience.
TEST_P(Stuck, HoldsBackThenRefusesByClass) {
  const uint64_t critical = Send({"SET", "order:1", "v"}), normal = Send({"SET", "session:1", "v"}),
                 low = Send({"SET", "like:1", "v"}), read = Send({"GET", "like:9"}),
                 both = Send({"MSET", "order:2", "v", "like:2", "v"}),
                 once = Send({"SLUICE", "ONCE", "t", "SET", "like:3", "v"});
  const uint64_t background = node_.Connect();
  node_.connections().Find(background)->client().priority = Priority::kBackground;
  node_.Turn(0, background, Request({"SET", "order:4", "v"}));
  EXPECT_EQ(held(Priority::kCritical), 0u);
  EXPECT_EQ(held(Priority::kNormal), 1u);
  EXPECT_EQ(held(Priority::kLow), 3u);
  EXPECT_EQ(held(Priority::kBackground), 1u);
  EXPECT_EQ(node_.Take(low), "");
  Turns(150);
  EXPECT_THAT(node_.Take(low), StartsWith("-OVERLOADED reason=log class=low retry_ms="));
  EXPECT_THAT(node_.Take(both), HasSubstr("class=low"));
  EXPECT_EQ(node_.Take(normal), "") << "it has more patience";
  Turns(1000);
  EXPECT_THAT(node_.Take(normal), HasSubstr("class=normal"));
  EXPECT_EQ(node_.Take(once), "") << "it may be a retry of what was applied";
  EXPECT_EQ(node_.Take(background), "") << "it has time";
  EXPECT_EQ(node_.Take(critical), "") << "it waits for its sync";
  EXPECT_EQ(node_.Rest(read), "$-1\r\n");
  EXPECT_EQ(node_.Rest(critical) + node_.Rest(once) + node_.Rest(background),
            "+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(node_.Ask(low, Request({"EXISTS", "like:1", "session:1", "order:2", "like:2"})),
            ":0\r\n");
  EXPECT_EQ(node_.Ask(low, Request({"EXISTS", "order:1", "like:3", "order:4"})), ":3\r\n");
  Turns(150);
  EXPECT_FALSE(budget().limited());
}

// Goal:   a pipeline behind a write that waits waits too, keeps its order, and is answered whole.
// Method: pipelines of every length to 200, of low writes and reads in turn, while the log stands
//         still and after.
TEST_P(Stuck, KeepsAPipelineInOrder) {
  for (const size_t pairs : {1, 2, 3, 10, 100}) {
    std::string pipeline;
    for (size_t i = 0; i < pairs; ++i) {
      pipeline += Request({"SET", fmt::format("like:{}", i), "v"});
      pipeline += Request({"ECHO", std::to_string(i)});
    }
    const uint64_t id = node_.Connect();
    node_.Turn(0, id, pipeline);
    EXPECT_EQ(node_.Take(id), "");
    Turns(200);
    std::string replies = node_.Take(id);
    for (size_t i = 0; i < pairs; ++i) {
      ASSERT_THAT(replies, StartsWith("-OVERLOADED reason=log class=low")) << i << " of " << pairs;
      replies.erase(0, replies.find("\r\n") + 2);
      const std::string echo = fmt::format("${}\r\n{}\r\n", std::to_string(i).size(), i);
      ASSERT_THAT(replies, StartsWith(echo));
      replies.erase(0, echo.size());
    }
    EXPECT_EQ(replies, "");
  }
}

// Goal:   who may wait for ever stands in nobody's way.
// Method: writes under a token and of the background first, then many that are to be refused.
TEST_P(Stuck, RefusesBehindThoseWhoWaitOn) {
  for (int i = 0; i < 20; ++i)
    Send({"SLUICE", "ONCE", fmt::format("t{}", i), "SET", "like:1", "v"});
  std::vector<uint64_t> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(Send({"SET", "like:2", "v"}));
  Turns(200);
  for (const uint64_t id : ids) EXPECT_THAT(node_.Take(id), StartsWith("-OVERLOADED")) << id;
}

// Goal:   a connection that ends while its write waits leaves nothing behind, and a node that stops
//         does not wait for units.
// Method: close some of many that wait; end the input of the others; let the log move.
TEST_P(Stuck, LetsConnectionsEnd) {
  std::vector<uint64_t> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(Send({"SET", fmt::format("like:{}", i), "v"}));
  for (size_t i = 0; i < ids.size(); i += 2) node_.connections().Close(ids[i]);
  for (size_t i = 1; i < ids.size(); i += 2) node_.connections().EndInput(ids[i]);
  Turns(150);
  for (size_t i = 1; i < ids.size(); i += 2) EXPECT_THAT(node_.Rest(ids[i]), testing::Not(""));
  Turns(10);
  EXPECT_EQ(node_.connections().meters().waiting[Priority::kLow].value(), 0);
  EXPECT_FALSE(node_.connections().Aside());
}

INSTANTIATE_TEST_SUITE_P(Lanes, Stuck, testing::Values(1, 3));

// Goal:   at the bound itself critical writes are refused too, with the reason, instead of sockets
//         that nobody reads; reads go on, and all is well once the log moves.
// Method: critical writes until the log's queue is full, then a second and more; then a sync.
TEST(StuckLog, RefusesCriticalWritesAtItsBound) {
  NodeOptions options{.config = kKeyspaces, .sheds = true};
  options.log.queue_bytes_max = 4096;
  NodeFixture node(options);
  const uint64_t writer = node.Connect();
  size_t written = 0;
  for (; !node.committer().full(); ++written) {
    ASSERT_LT(written, 1000u);
    node.Turn(0, writer, Request({"SET", "order:1", std::string(100, 'x')}));
  }
  EXPECT_TRUE(node.lane().Crowded());
  for (int i = 0; i < 1'100; ++i) node.Turn(0);
  EXPECT_FALSE(node.lane().Crowded()) << "sockets are read";
  const uint64_t refused = node.Connect(), reader = node.Connect();
  node.Turn(0, refused, Request({"SET", "order:2", "x"}));
  EXPECT_THAT(node.Take(refused), StartsWith("-OVERLOADED reason=log class=critical retry_ms="));
  node.Turn(0, reader, Request({"GET", "order:3"}));
  EXPECT_EQ(node.Take(reader), "$-1\r\n");
  node.Sync();
  for (int i = 0; i < 200; ++i) node.Turn(0);
  std::string all;
  for (size_t i = 0; i < written; ++i) all += "+OK\r\n";
  EXPECT_EQ(node.Take(writer), all);
  EXPECT_EQ(node.Ask(refused, Request({"SET", "order:2", "x"})), "+OK\r\n");
}

// Goal:   critical work that comes while a turn runs is in that turn's records, and nothing else
//         that came late is; a turn's late part ends too.
// Method: many critical clients and an ordinary one become ready while the turn's work runs; a
//         clock that moves with each command.
TEST(Turns, TakeLateCriticalWork) {
  NodeFixture node({.config = kKeyspaces});
  node.clock().TickEachLook(5);
  const uint64_t busy = node.Connect(), ordinary = node.Connect();
  std::vector<uint64_t> critical;
  for (int i = 0; i < 1'000; ++i) critical.push_back(node.Connect());
  for (const uint64_t id : critical) node.Ask(id, Request({"SET", "order:1", "v"}));
  std::vector<uint64_t> order;
  Connections::Hooks hooks;
  hooks.read = [&](uint64_t id, size_t) {
    order.push_back(id);
    const bool orders = id != busy && id != ordinary;
    node.connections().Feed(id, Request({"SET", orders ? "order:1" : "session:1", "w"}));
    return false;
  };
  hooks.between = [&] {
    if (order.size() != 1) return;
    node.connections().Ready(ordinary);
    for (const uint64_t id : critical) node.connections().Ready(id);
  };
  node.connections().Ready(critical.back());
  node.lane().BeginTurn(node.clock().WallMs(), node.clock().MonotonicUs());
  node.connections().BeginTurn();
  node.connections().Serve({.read = hooks.read});
  node.connections().SealTurn(node.lane().EndTurn());
  ASSERT_TRUE(node.connections().critical());
  order.clear();
  node.connections().Ready(busy);
  node.lane().BeginTurn(node.clock().WallMs(), node.clock().MonotonicUs());
  node.connections().BeginTurn();
  node.connections().Serve(hooks);
  EXPECT_EQ(order, std::vector{busy});
  const uint64_t began_us = node.clock().MonotonicUs();
  node.connections().ServeLate(hooks);
  EXPECT_LE(node.clock().MonotonicUs() - began_us, kLateUs + kPieceUsLeast);
  ASSERT_GT(order.size(), 10u);
  EXPECT_LT(order.size(), critical.size());
  for (size_t i = 1; i < order.size(); ++i) EXPECT_EQ(order[i], critical[i - 1]);
  node.connections().SealTurn(node.lane().EndTurn());
}

// Goal:   critical work is served first, and a long pipeline does not keep small clients waiting:
//         each turn gives every connection its piece.
// Method: one client with 20,000 commands in line before 200 with one each, and a critical one that
//         comes last; a clock that moves with each command.
TEST(Turns, ServeEveryoneAPiece) {
  NodeFixture node({.config = kKeyspaces});
  node.clock().TickEachLook(5);
  const uint64_t critical = node.Connect(), greedy = node.Connect();
  node.Ask(critical, Request({"SET", "order:1", "v"}));
  node.connections().Ready(critical);
  node.Turn(0);
  ASSERT_TRUE(node.connections().critical());
  std::string pipeline;
  for (int i = 0; i < 20'000; ++i) pipeline += Request({"SET", "session:1", "v"});
  node.Turn(0, greedy, pipeline);
  std::vector<uint64_t> small;
  for (int i = 0; i < 200; ++i) small.push_back(node.Connect());
  std::vector<std::string> unread;
  for (size_t i = 0; i < small.size(); ++i) node.connections().Ready(small[i]);
  node.connections().Ready(critical);
  std::vector<uint64_t> order;
  const auto read = [&](uint64_t id, size_t bytes_max) {
    EXPECT_LE(bytes_max, kReadBytesMax);
    order.push_back(id);
    node.connections().Feed(id, Request({"SET", id == critical ? "order:1" : "session:2", "w"}));
    return false;
  };
  const uint64_t before = node.connections().meters().commands.value();
  int turns = 0;
  for (; order.size() < small.size() + 1 && turns < 1000; ++turns) {
    const uint64_t began_us = node.clock().MonotonicUs();
    node.lane().BeginTurn(node.clock().WallMs(), began_us);
    node.connections().BeginTurn();
    node.connections().Serve({.read = read});
    EXPECT_LE(node.clock().MonotonicUs() - began_us, kTurnUsCritical + 2 * kPieceUsLeast)
        << "turn " << turns;
    node.connections().SealTurn(node.lane().EndTurn());
  }
  ASSERT_EQ(order.size(), small.size() + 1);
  EXPECT_EQ(order[0], critical);
  EXPECT_EQ(std::vector(order.begin() + 1, order.end()), small) << "in the order they came";
  const uint64_t greedys = node.connections().meters().commands.value() - before - order.size();
  EXPECT_LE(greedys, 10 * order.size()) << "its share of the time, not its share of the commands";
}

// Goal:   who has more than one read brings is read again, a piece a turn, though nobody says so,
//         and not after a read that brought all.
// Method: clients that are ready once and need some reads, each another number.
TEST(Turns, ReadOnUntilAllHasCome) {
  NodeFixture node({.config = kKeyspaces});
  std::map<uint64_t, size_t> left;
  for (size_t reads = 1; reads <= 20; ++reads) left[node.Connect()] = reads;
  for (const auto& [id, reads] : left) node.connections().Ready(id);
  for (size_t turn = 1; turn <= 25; ++turn) {
    std::set<uint64_t> read;
    node.lane().BeginTurn(node.clock().WallMs(), node.clock().MonotonicUs());
    node.connections().BeginTurn();
    node.connections().Serve({.read = [&](uint64_t id, size_t) {
      EXPECT_TRUE(read.insert(id).second) << "twice in a turn";
      node.connections().Feed(id, Request({"SET", "session:1", "w"}));
      return --left[id] > 0;
    }});
    node.connections().SealTurn(node.lane().EndTurn());
    EXPECT_EQ(read.size(), turn <= 20 ? 21 - turn : 0) << "turn " << turn;
    EXPECT_EQ(node.connections().WantsTurn(), turn < 20);
  }
}

}  // namespace
}  // namespace sluice::server
