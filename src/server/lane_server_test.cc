// Lane servers over real sockets on the loopback interface, with a log in memory.
#include "server/lane_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "server/caller_test.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Lane servers on threads of their own, and one thread for the log.
class Threads {
 public:
  explicit Threads(size_t lanes, std::string config = {})
      : node_({.lanes = lanes, .config = std::move(config)}) {
    auto listener = env::Listener::Open("127.0.0.1:0", 128).value();
    address_ = listener->address();
    node_.context().connections.clear();
    node_.context().stop = [this] { front_.Stop(); };
    for (ingest::Lane* lane : node_.node().lanes) {
      servers_.push_back(
          LaneServer::Open(node_.context(), front_, *lane, std::move(listener)).value());
      node_.context().connections.push_back(&servers_.back()->connections());
    }
    for (const auto& server : servers_) front_.servers.push_back(server.get());
    node_.OnWake([this](model::LaneId lane) { servers_[lane.value]->Wake(); });
    node_.committer().OnProgress([this] {
      for (const auto& server : servers_) server->Wake();
    });
    for (const auto& server : servers_) threads_.emplace_back([&server] { server->Run(); });
    log_ = std::thread([this] { WriteLog(); });
  }
  ~Threads() {
    front_.Stop();
    Join();
  }
  // Returns when the servers have stopped, whoever asked them to.
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    log_stops_ = true;
    node_.committer().Wake();
    if (log_.joinable()) log_.join();
  }

  const std::string& address() const { return address_; }
  Front& front() { return front_; }
  NodeFixture& node() { return node_; }
  Connections& connections(size_t lane) { return servers_[lane]->connections(); }

 private:
  void WriteLog() {
    while (!log_stops_) {
      const uint64_t next_us = node_.committer().Pump();
      if (next_us != 0) node_.committer().WaitForWork(next_us);
    }
  }

  NodeFixture node_;
  Front front_;
  std::vector<std::unique_ptr<LaneServer>> servers_;
  std::vector<std::thread> threads_;
  std::thread log_;
  std::atomic<bool> log_stops_{false};
  std::string address_;
};

// Goal:   clients on several lanes get their own replies, in order, whatever the size.
// Method: eight clients, each with pipelines of small and large values over shards of both lanes.
TEST(LaneServer, ServesClientsOfSeveralLanes) {
  Threads threads(2);
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&threads, c] {
      Caller caller(threads.address());
      for (int round = 0; round < 20; ++round) {
        std::string pipeline, expected;
        for (int i = 0; i < 20; ++i) {
          const std::string key = fmt::format("c{}:{}", c, i);
          const std::string value(i == 7 ? 300'000 : 10, static_cast<char>('a' + round));
          pipeline += Request({"SET", key, value}) + Request({"GET", key});
          expected += fmt::format("+OK\r\n${}\r\n{}\r\n", value.size(), value);
        }
        caller.Send(pipeline);
        const std::string got = caller.Receive(expected.size());
        ASSERT_TRUE(got == expected) << "client " << c << " round " << round;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GT(threads.connections(0).meters().opened.value(), 0u);
  EXPECT_GT(threads.connections(1).meters().opened.value(), 0u);
}

// Goal:   CLIENT LIST shows the connections of all lanes, and CLIENT KILL ends those of others.
TEST(LaneServer, ListsAndEndsConnectionsOfOtherLanes) {
  Threads threads(2);
  Caller first(threads.address()), second(threads.address());
  EXPECT_EQ(first.Ask(Request({"CLIENT", "SETNAME", "one"}), 5), "+OK\r\n");
  EXPECT_EQ(second.Ask(Request({"CLIENT", "SETNAME", "two"}), 5), "+OK\r\n");
  first.Send(Request({"CLIENT", "LIST"}));
  const std::string head = first.Receive(6);
  ASSERT_EQ(head[0], '$');
  const std::string list = first.Receive(std::stoul(head.substr(1)) + 2);
  EXPECT_THAT(list, HasSubstr("name=one"));
  EXPECT_THAT(list, HasSubstr("name=two"));
  EXPECT_EQ(first.Ask(Request({"CLIENT", "KILL", "SKIPME", "yes"}), 4), ":1\r\n");
  EXPECT_EQ(second.ReceiveAll(), "");
  EXPECT_EQ(first.Ask("PING\r\n", 7), "+PONG\r\n");
}

// Goal:   beyond maxclients newcomers hear why, and a place that gets free is given again.
TEST(LaneServer, TurnsAwayMoreThanMaxclients) {
  Threads threads(2);
  threads.node().context().clients_max = 2;
  auto first = std::make_unique<Caller>(threads.address());
  Caller second(threads.address());
  EXPECT_EQ(first->Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_EQ(second.Ask("PING\r\n", 7), "+PONG\r\n");
  EXPECT_EQ(Caller(threads.address()).ReceiveAll(), "-ERR max number of clients reached\r\n");
  first.reset();
  while (threads.node().context().clients.load() == 2) std::this_thread::yield();
  EXPECT_EQ(Caller(threads.address()).Ask("PING\r\n", 7), "+PONG\r\n");
}

// Goal:   a stop answers what was read, closes the connections and ends, whatever clients do
//         meanwhile.
// Method: one client idle, one in the middle of a pipeline, one that stops the server.
TEST(LaneServer, DrainsAndEnds) {
  Threads threads(2);
  Caller idle(threads.address()), busy(threads.address()), stopper(threads.address());
  EXPECT_EQ(idle.Ask("PING\r\n", 7), "+PONG\r\n");
  std::string pipeline;
  for (int i = 0; i < 9'000; ++i) pipeline += Request({"INCR", "n" + std::to_string(i)});
  EXPECT_EQ(busy.Ask(pipeline, 4), ":1\r\n");
  stopper.Send(Request({"SHUTDOWN"}));
  EXPECT_EQ(stopper.ReceiveAll(), "");
  EXPECT_EQ(idle.ReceiveAll(), "");
  const std::string rest = busy.ReceiveAll();
  EXPECT_EQ(rest.size() % 4, 0u) << "whole replies only";
  threads.Join();
}

// Goal:   a client that sends, closes its side and reads on gets all its replies.
TEST(LaneServer, AnswersAfterTheClientClosedItsSide) {
  Threads threads(2);
  Caller caller(threads.address());
  std::string pipeline, expected;
  for (int i = 0; i < 3000; ++i) {
    pipeline += Request({"SET", "k" + std::to_string(i), "v"});
    expected += "+OK\r\n";
  }
  caller.Send(pipeline);
  caller.FinishWrites();
  EXPECT_EQ(caller.ReceiveAll(), expected);
}

// Goal:   input that is left in its socket, since a turn was over or replies are not read, is read
//         in the end, whole, though nothing more comes that would say so; and so is the end.
// Method: clients whose pipelines are longer than a read and whose replies are more than a session
//         keeps; some have sent all before they read anything. Sizes of value and pipeline sweep.
TEST(LaneServer, ReadsOnWhereItPaused) {
  Threads threads(2);
  Caller setter(threads.address());
  for (const size_t bytes : {1u, 1'000u, 30'000u}) {
    ASSERT_EQ(setter.Ask(Request({"SET", "value", std::string(bytes, 'v')}), 5), "+OK\r\n");
    const std::string reply = fmt::format("${}\r\n{}\r\n", bytes, std::string(bytes, 'v'));
    std::vector<std::thread> clients;
    for (const size_t count : {10u, 1'000u, 3'000u, 20'000u}) {
      clients.emplace_back([&, count = std::min(count, 60'000'000 / reply.size())] {
        Caller caller(threads.address());
        std::string pipeline;
        for (size_t i = 0; i < count; ++i) pipeline += Request({"GET", "value"});
        caller.Send(pipeline);
        caller.FinishWrites();
        EXPECT_EQ(caller.ReceiveAll().size(), count * reply.size()) << bytes << " " << count;
      });
    }
    for (std::thread& client : clients) client.join();
  }
}

// Goal:   clients that send junk, leave in the middle or never read harm nobody else.
TEST(LaneServer, LivesWithBadClients) {
  Threads threads(2);
  Caller good(threads.address());
  EXPECT_EQ(good.Ask(Request({"SET", "big", std::string(1 << 20, 'v')}), 5), "+OK\r\n");
  std::vector<std::unique_ptr<Caller>> silent;
  for (int i = 0; i < 20; ++i) {
    Caller(threads.address()).Send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\nhalf");
    EXPECT_THAT(Caller(threads.address()).Ask("*1\r\n$-1\r\n", 40), StartsWith("-ERR Protocol"));
    EXPECT_EQ(Caller(threads.address()).Ask("POST / HTTP/1.0\r\n", 1), "");
    silent.push_back(std::make_unique<Caller>(threads.address()));
    std::string reads;
    for (int n = 0; n < 40; ++n) reads += Request({"GET", "big"});
    silent.back()->Send(reads);
  }
  EXPECT_EQ(good.Ask("PING\r\n", 7), "+PONG\r\n");
  // One that begins to read late gets all of it.
  const size_t all = 40 * ((1 << 20) + std::string("$1048576\r\n\r\n").size());
  EXPECT_EQ(silent[3]->Receive(all).size(), all);
  silent.clear();
  EXPECT_EQ(good.Ask("PING\r\n", 7), "+PONG\r\n");
}

}  // namespace
}  // namespace sluice::server
