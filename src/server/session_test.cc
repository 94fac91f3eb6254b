// Sessions over real lanes: bytes in, bytes out.
#include "server/session.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/prng.h"
#include "command/reply_bound.h"
#include "server/command_totals.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kTwoKeyspaces =
    "[keyspace.fast]\nkey = \"fast:{id}\"\nack = \"memory\"\n"
    "[keyspace.slow]\nkey = \"slow:{id}\"\nack = \"durable\"\n";

std::string Config(std::string_view text) {
  return std::string(text);
}

// A script that touches most ways a reply can take: at once, behind others, over several keys,
// errors.
std::string Script() {
  return Request({"SET", "a", "1"}) + Request({"INCR", "a"}) + Request({"GET", "b"}) + "PING\r\n" +
         Request({"MSET", "k1", "v1", "k2", "v2", "k3", "v3"}) +
         Request({"MGET", "k1", "k2", "k3", "none"}) + Request({"NOSUCH", "x"}) + Request({"GET"}) +
         Request({"HSET", "h", "f", "v"}) + Request({"GET", "h"}) +
         Request({"SET", "bin", std::string_view("\0\r\n\xff", 4)}) + Request({"GET", "bin"}) +
         "\r\n  echo 'inline \\'text'\r\n" + Request({"DEL", "a", "k1", "none"}) +
         Request({"EXISTS", "a", "k2", "k2"}) + Request({"CLIENT", "SETNAME", "me"}) +
         Request({"CLIENT", "GETNAME"}) + Request({"HELLO", "3"}) + Request({"GET", "none"}) +
         Request({"HGETALL", "h"}) + Request({"SET", "", "empty key"}) + Request({"GET", ""}) +
         Request({"QUIT"}) + Request({"SET", "after", "quit"});
}

// All that the script is answered by a node that the seed chooses, in reads of at most that size.
std::string AnswersInRandomReads(uint64_t seed, size_t read_max) {
  Prng prng(seed);
  NodeFixture node({.lanes = 1 + seed % 3, .cold = prng.OneIn(2)});
  const size_t lanes = 1 + seed % 3, lane = prng.Below(lanes);
  const uint64_t id = node.Connect(lane);
  const std::string script = Script();
  std::string replies;
  for (size_t at = 0; at < script.size();) {
    const size_t size = std::min(1 + prng.Below(read_max), script.size() - at);
    node.Turn(lane, id, std::string_view(script).substr(at, size));
    at += size;
    for (uint64_t turns = prng.Below(4); turns > 0; --turns) node.Turn(prng.Below(lanes));
    if (prng.OneIn(4)) node.RunJobs();
    if (prng.OneIn(4)) node.Sync();
    if (prng.OneIn(8)) {
      node.Sync();
      node.StoreBuffers();
    }
    if (prng.OneIn(4)) replies += node.Take(id, lane);
  }
  return replies + node.Rest(id, lane);
}

// Goal:   replies do not depend on how the bytes arrive.
// Method: the script whole, cut in two at every byte, and byte by byte, on one and on two lanes;
//         then in random reads on any lane of up to three, between which other lanes take turns,
//         things become durable and replies leave or not, with rows that only the disk has.
TEST(Session, AnswersTheSameHoweverTheBytesArrive) {
  for (const size_t lanes : {1, 2}) {
    const NodeOptions options{.lanes = lanes};
    const std::string script = Script();
    NodeFixture whole(options);
    const uint64_t id = whole.Connect();
    const std::string expected = whole.Ask(id, script);
    EXPECT_FALSE(whole.Open(id));
    EXPECT_THAT(expected, StartsWith("+OK\r\n:2\r\n$-1\r\n+PONG\r\n+OK\r\n*4\r\n$2\r\nv1\r\n"));
    for (size_t cut = 1; cut < script.size(); ++cut) {
      NodeFixture node(options);
      const uint64_t cut_id = node.Connect();
      std::string replies = node.Ask(cut_id, script.substr(0, cut));
      replies += node.Ask(cut_id, script.substr(cut));
      ASSERT_EQ(replies, expected) << "lanes " << lanes << " cut " << cut;
    }
    NodeFixture node(options);
    const uint64_t slow = node.Connect();
    for (const char byte : script) node.Turn(0, slow, {&byte, 1});
    EXPECT_EQ(node.Rest(slow), expected) << "lanes " << lanes;
  }
  const std::string expected = AnswersInRandomReads(0, SIZE_MAX);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    ASSERT_EQ(AnswersInRandomReads(seed, 1 + seed % 50), expected) << "seed " << seed;
  }
}

// Goal:   the words of an inline command stay its own, though commands are parsed ahead.
// Method: every pipeline of six commands, each inline with quotes or not.
TEST(Session, KeepsInlineCommandsApart) {
  for (int kinds = 0; kinds < 1 << 6; ++kinds) {
    NodeFixture node;
    std::string script, expected;
    for (int i = 0; i < 6; ++i) {
      const std::string value = "a b" + std::to_string(i);
      script += kinds >> i & 1 ? "ECHO \"" + value + "\"\r\n" : Request({"ECHO", value});
      expected += "$4\r\n" + value + "\r\n";
    }
    EXPECT_EQ(node.Ask(node.Connect(), script), expected) << kinds;
  }
}

// Goal:   a client that leaves at any byte harms nobody: what it sent whole is applied, and the
//         next client in its place gets none of its replies.
// Method: for every prefix of a script, send it, close in the middle of the work, go on as another.
TEST(Session, LivesThroughDisconnectsAtEveryByte) {
  std::string script;
  for (int i = 0; i < 8; ++i) script += Request({"INCR", "n" + std::to_string(i)});
  script += Request({"SET", "a", "1"}) + Request({"MSET", "b", "2", "c", "3"}) +
            Request({"MGET", "a", "b", "c"}) + Request({"INCR", "a"});
  NodeFixture node({.lanes = 2});
  for (size_t cut = 1; cut <= script.size(); ++cut) {
    const uint64_t id = node.Connect();
    node.Turn(0, id, script.substr(0, cut));
    if (cut % 2 == 0) node.Settle();
    node.connections().Close(id);
    const uint64_t next = node.Connect();
    ASSERT_NE(id, next);
    std::string reads, nothing;
    for (int i = 0; i < 8; ++i) {
      reads += Request({"GET", "none" + std::to_string(i)});
      nothing += "$-1\r\n";
    }
    ASSERT_EQ(node.Ask(next, reads), nothing) << cut;
    EXPECT_EQ(node.Take(id), "");
    node.connections().Close(next);
  }
  EXPECT_EQ(node.connections().size(), 0u);
}

// Goal:   a pipeline over shards of several lanes is answered in order.
// Method: many keys, values that tell their key, one pipeline from each lane, turns in random
//         order.
TEST(Session, KeepsTheOrderOfAPipelineAcrossLanes) {
  NodeFixture node({.lanes = 3});
  Prng random(7);
  std::vector<uint64_t> ids;
  std::vector<std::string> got(3), expected(3);
  for (size_t lane = 0; lane < 3; ++lane) ids.push_back(node.Connect(lane));
  for (int step = 0; step < 2000; ++step) {
    const size_t lane = random.Below(3);
    std::string batch;
    for (uint64_t n = random.Below(20); n > 0 && step < 1500; --n) {
      const std::string key = "k" + std::to_string(lane) + ":" + std::to_string(random.Below(50));
      const std::string value = key + "=" + std::to_string(random.Below(1000));
      batch += Request({"SET", key, value}) + Request({"GET", key}) + Request({"STRLEN", key});
      expected[lane] += "+OK\r\n$" + std::to_string(value.size()) + "\r\n" + value +
                        "\r\n:" + std::to_string(value.size()) + "\r\n";
    }
    node.Turn(lane, ids[lane], batch);
    if (random.OneIn(4)) node.Sync();
    got[lane] += node.Take(ids[lane], lane);
    ASSERT_TRUE(expected[lane].starts_with(got[lane])) << "step " << step;
  }
  for (size_t lane = 0; lane < 3; ++lane) {
    got[lane] += node.Rest(ids[lane], lane);
    EXPECT_EQ(got[lane], expected[lane]);
  }
}

// Goal:   the commands of one connection take effect in their order, over one key or several.
// Method: random pipelines over a few keys on three lanes, against a map; some keys must be
//         fetched.
TEST(Session, RunsThePipelineOfAConnectionInOrder) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    NodeFixture node({.lanes = 3, .cold = seed % 2 == 0});
    Prng random(seed);
    std::map<std::string, std::string> model;
    const auto key = [&] { return "k" + std::to_string(random.Below(6)); };
    const auto bulk = [&](const std::string& name) {
      const auto found = model.find(name);
      if (found == model.end()) return std::string("$-1\r\n");
      return fmt::format("${}\r\n{}\r\n", found->second.size(), found->second);
    };
    std::string pipeline, expected;
    for (int i = 0; i < 300; ++i) {
      const std::string a = key(), b = key(), value = std::to_string(i);
      switch (random.Below(5)) {
        case 0:
          pipeline += Request({"SET", a, value});
          model[a] = value;
          expected += "+OK\r\n";
          break;
        case 1:
          pipeline += Request({"MSET", a, value, b, value + "b"});
          model[a] = value;
          model[b] = value + "b";
          expected += "+OK\r\n";
          break;
        case 2:
          pipeline += Request({"DEL", a, b});
          expected += fmt::format(":{}\r\n", model.erase(a) + model.erase(b));
          break;
        case 3:
          pipeline += Request({"MGET", a, b});
          expected += "*2\r\n" + bulk(a) + bulk(b);
          break;
        default:
          pipeline += Request({"GET", a});
          expected += bulk(a);
      }
    }
    const size_t lane = random.Below(3);
    const uint64_t id = node.Connect(lane);
    const size_t cut = random.Below(pipeline.size());
    const std::string first = node.Ask(id, pipeline.substr(0, cut), lane);
    ASSERT_EQ(first + node.Ask(id, pipeline.substr(cut), lane), expected) << "seed " << seed;
  }
}

// Goal:   a reply leaves when its ack level holds, and a read waits for what it shows.
// Method: writes and reads of a memory and a durable keyspace, before and after the log is durable.
TEST(Session, WaitsForTheAckLevel) {
  NodeFixture node({.config = Config(kTwoKeyspaces)});
  const uint64_t writer = node.Connect();
  const uint64_t reader = node.Connect();
  EXPECT_EQ(node.Ask(writer, Request({"SET", "slow:old", "1"})), "+OK\r\n");

  node.Turn(0, writer, Request({"SET", "fast:1", "x"}));
  EXPECT_EQ(node.Take(writer), "+OK\r\n") << "memory: no disk is waited for";
  node.Turn(0, reader, Request({"GET", "fast:1"}));
  EXPECT_EQ(node.Take(reader), "$1\r\nx\r\n");

  node.Turn(0, writer, Request({"SET", "slow:1", "y"}));
  EXPECT_EQ(node.Take(writer), "") << "durable: not yet";
  node.Turn(0, reader, Request({"GET", "slow:old"}));
  EXPECT_EQ(node.Take(reader), "$1\r\n1\r\n") << "a read of something old does not wait";
  node.Turn(0, reader, Request({"GET", "slow:1"}));
  EXPECT_EQ(node.Take(reader), "") << "a read of an undurable write does";
  node.Turn(0, reader, Request({"GET", "fast:1"}));
  EXPECT_EQ(node.Take(reader), "") << "and nothing overtakes it";
  node.Sync();
  EXPECT_EQ(node.Take(writer), "+OK\r\n");
  EXPECT_EQ(node.Take(reader), "$1\r\ny\r\n$1\r\nx\r\n");
}

// Goal:   no part of a write over several lanes is seen before the whole of it is durable.
// Method: MSET over keys of three lanes, from each of them; every key read from every lane before
//         and after the log is durable.
// Broken: if a lane applied another lane's record without covering its position.
TEST(Session, ShowsNoPartOfAWriteOverLanesBeforeItIsDurable) {
  constexpr size_t kLanes = 3, kKeys = 10;
  for (size_t origin = 0; origin < kLanes; ++origin) {
    NodeFixture node({.lanes = kLanes});
    std::string write = fmt::format("*{}\r\n$4\r\nMSET\r\n", 1 + 2 * kKeys);
    for (size_t key = 0; key < kKeys; ++key)
      write += fmt::format("$5\r\nkey:{}\r\n$1\r\nv\r\n", key);
    const uint64_t writer = node.Connect(origin);
    node.Turn(origin, writer, write);
    node.Settle();
    std::vector<std::pair<size_t, uint64_t>> readers;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      for (size_t key = 0; key < kKeys; ++key) {
        readers.emplace_back(lane, node.Connect(lane));
        node.Turn(lane, readers.back().second, Request({"GET", fmt::format("key:{}", key)}));
      }
    }
    node.Settle();
    for (const auto& [lane, id] : readers) EXPECT_EQ(node.Take(id, lane), "");
    node.Sync();
    node.Settle();
    for (const auto& [lane, id] : readers) EXPECT_EQ(node.Take(id, lane), "$1\r\nv\r\n");
    EXPECT_EQ(node.Take(writer, origin), "+OK\r\n");
  }
}

// Goal:   SLUICE ACK raises the level and never lowers it; WAIT and WAITAOF wait for all.
TEST(Session, RaisesTheAckLevel) {
  NodeFixture node({.config = Config(kTwoKeyspaces)});
  const uint64_t id = node.Connect();
  EXPECT_EQ(node.Ask(id, Request({"SLUICE", "ACK", "durable"})), "+OK\r\n");
  node.Turn(0, id, Request({"SET", "fast:1", "x"}));
  EXPECT_EQ(node.Take(id), "");
  node.Sync();
  EXPECT_EQ(node.Take(id), "+OK\r\n");
  EXPECT_EQ(node.Ask(id, Request({"SLUICE", "ACK", "memory"})), "+OK\r\n");
  node.Turn(0, id, Request({"SET", "slow:1", "x"}));
  EXPECT_EQ(node.Take(id), "") << "the keyspace asks for durable";
  node.Sync();
  EXPECT_EQ(node.Take(id), "+OK\r\n");
  for (const auto& [command, reply] :
       {std::pair{Request({"WAIT", "0", "0"}), ":0\r\n"},
        std::pair{Request({"WAITAOF", "1", "0", "0"}), "*2\r\n:1\r\n:0\r\n"}}) {
    node.Turn(0, id, Request({"SET", "fast:2", "y"}) + command);
    EXPECT_EQ(node.Take(id), "+OK\r\n");
    node.Sync();
    EXPECT_EQ(node.Take(id), reply);
  }
  EXPECT_THAT(node.Ask(id, Request({"SLUICE", "ACK", "replicated"})),
              HasSubstr("not available yet"));
  EXPECT_THAT(node.Ask(id, Request({"SLUICE", "ACK", "much"})), StartsWith("-ERR"));
}

// Goal:   a retried write is applied once and answered as the first time, however it comes again.
// Method: both forms, over one and several keys, from another connection and another lane, in RESP3
//         too.
TEST(Session, RunsOnceCommandsOnce) {
  NodeFixture node({.lanes = 2});
  const uint64_t first = node.Connect(0);
  const uint64_t second = node.Connect(1);
  EXPECT_EQ(node.Ask(first, Request({"SLUICE", "ONCE", "t1", "INCR", "n"})), ":1\r\n");
  EXPECT_EQ(node.Ask(first, Request({"SLUICE", "ONCE", "t1", "incr", "n"})), ":1\r\n");
  EXPECT_EQ(node.Ask(second, Request({"SLUICE", "ONCE", "t1", "INCR", "n"}), 1), ":1\r\n");
  EXPECT_THAT(node.Ask(first, Request({"SLUICE", "ONCE", "t1", "INCRBY", "n", "1"})),
              StartsWith("-TOKENMISMATCH"));
  EXPECT_EQ(node.Ask(first, Request({"SLUICE", "ONCE", "t2", "INCR", "n"})), ":2\r\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(node.Ask(first, Request({"SLUICE", "ONCE", "@p", "1", "INCR", "m"})), ":1\r\n");
    EXPECT_EQ(node.Ask(first, Request({"SLUICE", "ONCE", "m1", "MSET", "x", "1", "y", "2"})),
              "+OK\r\n");
    EXPECT_EQ(node.Ask(first, Request({"SLUICE", "ONCE", "d1", "DEL", "x"})), ":1\r\n");
  }
  EXPECT_EQ(node.Ask(first, Request({"MGET", "n", "m", "x", "y"})),
            "*4\r\n$1\r\n2\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n");
  // A retry in the same pipeline, before the first is durable.
  const std::string twice = Request({"SLUICE", "ONCE", "t3", "INCR", "n"});
  EXPECT_EQ(node.Ask(first, twice + twice), ":3\r\n:3\r\n");
}

// Goal:   what SLUICE ONCE cannot run is refused with the reason.
TEST(Session, RefusesWhatOnceCannotRun) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  const auto ask = [&](std::initializer_list<std::string_view> args) {
    return node.Ask(id, Request(args));
  };
  EXPECT_THAT(ask({"SLUICE", "ONCE", "", "INCR", "n"}), HasSubstr("1 to 1024 bytes"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", std::string(1025, 't'), "INCR", "n"}), HasSubstr("1024"));
  EXPECT_EQ(ask({"SLUICE", "ONCE", std::string(1024, 't'), "INCR", "n"}), ":1\r\n");
  EXPECT_THAT(ask({"SLUICE", "ONCE", "t", "GET", "n"}), HasSubstr("commands that write keys"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", "t", "FLUSHALL"}), HasSubstr("commands that write keys"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", "t", "PING"}), HasSubstr("commands that write keys"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", "t", "INCR"}), HasSubstr("wrong number of arguments"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", "t", "NOSUCH"}), HasSubstr("unknown command"));
  for (const std::string_view seq : {"0", "-1", "x", "1.5", "9223372036854775808"}) {
    EXPECT_THAT(ask({"SLUICE", "ONCE", "@p", seq, "INCR", "n"}), HasSubstr("sequence number"));
  }
  EXPECT_THAT(ask({"SLUICE", "ONCE", "@", "1", "INCR", "n"}), HasSubstr("name has 1 to 1024"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", "@p", "1"}), HasSubstr("needs a command"));
  EXPECT_THAT(ask({"SLUICE", "ONCE", "t", "SET", "sluice:x", "1"}), HasSubstr("reserved"));
  EXPECT_EQ(ask({"GET", "n"}), "$1\r\n1\r\n");
}

// Goal:   hostile input gets the answer that Redis gives and ends the connection; memory stays
//         bounded.
TEST(Session, EndsConnectionsThatSpeakNoRedis) {
  const std::pair<std::string, std::string> cases[] = {
      {"*1000000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
      {"*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"*1\r\n$99999999999999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"*1\r\n$20000000\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
      {"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
      {"SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
      {std::string(70'000, 'x'), "-ERR Protocol error: too big inline request\r\n"},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
      {"POST / HTTP/1.1\r\n\r\n", ""},
  };
  for (const auto& [input, reply] : cases) {
    NodeFixture node;
    const uint64_t id = node.Connect();
    const std::string replies = node.Ask(id, Request({"SET", "a", "1"}) + input + "PING\r\n");
    EXPECT_THAT(replies, StartsWith(reply.empty() ? "" : "+OK\r\n" + reply)) << input.substr(0, 50);
    EXPECT_THAT(replies, testing::Not(HasSubstr("PONG")));
    EXPECT_FALSE(node.Open(id)) << input.substr(0, 50);
    EXPECT_EQ(node.Ask(id, Request({"PING"})), "");
  }
}

// Goal:   a client that never reads is paused, then goes on where it stopped; nothing is lost.
// Method: far more pipelined reads than the pause allows, taking replies only now and then.
TEST(Session, PausesAClientThatDoesNotRead) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  const std::string value(100'000, 'v');
  EXPECT_EQ(node.Ask(id, Request({"SET", "big", value})), "+OK\r\n");
  constexpr size_t kReads = 200;
  std::string pipeline;
  for (size_t i = 0; i < kReads; ++i) pipeline += Request({"GET", "big"});
  node.Turn(0, id, pipeline);
  node.Settle();
  const Session& session = *node.connections().Find(id);
  EXPECT_FALSE(session.WantsInput());
  EXPECT_LT(session.replies().bytes(), kOutputBytesPause + 2 * value.size());
  const std::string replies = node.Rest(id);
  EXPECT_EQ(replies.size(), kReads * (value.size() + std::string("$100000\r\n\r\n").size()));
  EXPECT_TRUE(session.WantsInput());
}

// Goal:   one client's pipeline does not fill a turn, and its commands in flight are bounded.
TEST(Session, RunsABoundedNumberOfCommandsInATurn) {
  NodeFixture node;
  const uint64_t greedy = node.Connect();
  const uint64_t other = node.Connect();
  std::string pipeline;
  for (size_t i = 0; i < 10 * kCommandsPerTurn; ++i) pipeline += "PING\r\n";
  node.Turn(0, greedy, pipeline);
  EXPECT_EQ(node.Take(greedy).size(), 7 * kCommandsPerTurn);
  node.Turn(0, other, "PING\r\n");
  EXPECT_EQ(node.Take(other), "+PONG\r\n");
  EXPECT_EQ(node.Rest(greedy).size(), 7 * 9 * kCommandsPerTurn);

  NodeFixture cold({.lanes = 2});
  const uint64_t id = cold.Connect();
  std::string far;
  for (size_t i = 0; i < 3 * kInFlightMax; ++i) {
    const std::string key = "k" + std::to_string(i % 97);
    far += Request({"INCR", key});
  }
  cold.Turn(0, id, far);
  EXPECT_LE(cold.connections().Find(id)->replies().in_flight(), kInFlightMax);
  const std::string replies = cold.Rest(id);
  EXPECT_EQ(std::count(replies.begin(), replies.end(), ':'), 3 * kInFlightMax);
}

// Goal:   replies beyond the hard bound end the connection instead of filling memory.
// Method: writes on another lane whose replies were small so far, then all large at once. (A read's
//         reply can be dropped: LaneBounds.RepliesFromOtherLanesStayWithinTheBound.)
TEST(Session, EndsAConnectionWhoseRepliesPassTheBound) {
  NodeFixture node({.lanes = 2});
  const uint64_t id = node.Connect();
  std::string key = "k";
  while (node.lane().meters().remote.value() == 0) node.Ask(id, Request({"GET", key += "k"}));
  const std::string value(1 << 20, 'v');
  EXPECT_EQ(node.Ask(id, Request({"SET", key, value})), "+OK\r\n");
  std::string small, large;
  for (int i = 0; i < 1000; ++i) small += Request({"STRLEN", key});
  for (int i = 0; i < 200; ++i) large += Request({"GETEX", key, "EX", "100"});
  node.Ask(id, small);
  node.Turn(0, id, large);
  node.Settle();
  EXPECT_FALSE(node.Open(id));
  EXPECT_EQ(node.connections().meters().overflows.value(), 1u);
}

// Goal:   when the log fails, waiting writes hear that nobody knows, waiting reads an error,
//         replies that were ready leave as they are, and the connection ends.
TEST(Session, SaysInDoubtWhenTheLogFails) {
  NodeFixture node({.lanes = 2, .config = Config(kTwoKeyspaces)});
  const uint64_t id = node.Connect();
  node.Turn(0, id,
            Request({"SET", "fast:1", "x"}) + Request({"SET", "slow:1", "y"}) +
                Request({"GET", "slow:1"}) + Request({"INCR", "slow:2"}));
  node.connections().FailWaiting();
  const std::string replies = node.Rest(id);
  std::vector<std::string> lines;
  for (size_t at = 0; at < replies.size();) {
    const size_t end = replies.find("\r\n", at);
    lines.push_back(replies.substr(at, end - at));
    at = end + 2;
  }
  ASSERT_EQ(lines.size(), 4u) << replies;
  EXPECT_THAT(lines[1], StartsWith("-INDOUBT "));
  EXPECT_THAT(lines[2], StartsWith("-ERR "));
  EXPECT_THAT(lines[3], StartsWith("-INDOUBT "));
  EXPECT_FALSE(node.Open(id));
}

// Goal:   what became durable before the log failed is not called in doubt.
TEST(Session, SaysOkForWhatWasDurableWhenTheLogFailed) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  node.Turn(0, id, Request({"SET", "a", "1"}));
  node.Sync();
  node.Turn(0, id, Request({"SET", "b", "1"}));
  node.connections().FailWaiting();
  EXPECT_THAT(node.Rest(id), StartsWith("+OK\r\n-INDOUBT "));
}

uint64_t MicrosecondsOf(NodeFixture& node, std::string_view name) {
  const command::Spec* spec = command::FindCommand(name);
  return TotalsOf(node.context(), spec - command::AllCommands().data()).microseconds;
}

// Goal:   short commands that run together share the time they took, what may take long has its
//         own, and whoever asks for the slow ones gets each timed.
// Method: a clock that moves 1 ms with each look, and pipelines of both kinds in one lookahead.
TEST(Session, TimesShortCommandsTogether) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  const std::string large(2'000, 'v'), short_ones = Request({"INCR", "n"}) + Request({"GET", "n"});
  node.Ask(id, Request({"APPEND", "large", large}));
  node.clock().TickEachLook(1'000);
  std::map<std::string_view, uint64_t> before;
  const auto told = [&](std::string_view name) {
    const uint64_t now = MicrosecondsOf(node, name);
    return now - std::exchange(before[name], now);
  };
  node.Turn(0, id, short_ones + short_ones);
  EXPECT_EQ(told("incr"), 500u);
  EXPECT_EQ(told("get"), 500u);
  node.Turn(0, id, short_ones + Request({"SET", "n", large}) + short_ones);
  EXPECT_EQ(told("set"), 1'000u) << "a large command";
  EXPECT_EQ(told("incr") + told("get"), 2'000u) << "before it, and behind it";
  node.Turn(0, id, Request({"SET", "n", "1"}) + Request({"GET", "large"}) + short_ones);
  EXPECT_EQ(told("set"), 0u);
  EXPECT_EQ(told("incr"), 500u);
  EXPECT_EQ(told("get"), 1'500u) << "a large reply took it all";
  node.context().slow_log.threshold_us = 1'000;
  node.Turn(0, id, short_ones + short_ones);
  EXPECT_EQ(told("incr"), 2'000u);
  EXPECT_EQ(told("get"), 2'000u);
  EXPECT_EQ(node.context().slow_log.size(), 4u);
  const std::string asks = Request({"INCR", "m"}) + Request({"INFO", "commandstats"});
  EXPECT_THAT(node.Ask(id, asks), HasSubstr("cmdstat_incr:calls=8,")) << "those before it too";
}

// Goal:   idle connections give their memory back and go on as before.
TEST(Session, GivesMemoryBackWhenIdle) {
  NodeFixture node({.lanes = 2});
  const uint64_t id = node.Connect();
  std::string pipeline;
  for (int i = 0; i < 500; ++i) pipeline += Request({"SET", "k" + std::to_string(i), "v"});
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(node.Ask(id, pipeline).size(), 500 * 5u);
    node.clock().Advance(kIdleUs);
    node.connections().ReleaseIdle();
    EXPECT_EQ(node.Ask(id, "PI"), "");
    node.clock().Advance(kIdleUs);
    node.connections().ReleaseIdle();
    EXPECT_EQ(node.Ask(id, "NG\r\n"), "+PONG\r\n");
  }
}

// Goal:   what was read is answered after the client ended its side; then the connection ends.
TEST(Session, AnswersAClientThatClosedItsSide) {
  NodeFixture node({.lanes = 2});
  const uint64_t id = node.Connect();
  node.Turn(0, id, Request({"SET", "a", "1"}) + Request({"GET", "a"}) + "*2\r\n$3\r\nGE");
  node.connections().EndInput(id);
  EXPECT_TRUE(node.Open(id));
  EXPECT_EQ(node.Rest(id), "+OK\r\n$1\r\n1\r\n");
  EXPECT_FALSE(node.Open(id));
}

// Goal:   keys that begin with `sluice:` are not written; others that only look similar are.
TEST(Session, ReservesItsOwnKeys) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  constexpr std::string_view kError = "-ERR keys that begin with 'sluice:' are reserved\r\n";
  EXPECT_EQ(node.Ask(id, Request({"SET", "sluice:x", "1"})), kError);
  EXPECT_EQ(node.Ask(id, Request({"MSET", "a", "1", "sluice:", "2"})), kError);
  EXPECT_EQ(node.Ask(id, Request({"DEL", "a", "sluice:y"})), kError);
  EXPECT_EQ(node.Ask(id, Request({"SET", "sluice", "1"})), "+OK\r\n");
  EXPECT_EQ(node.Ask(id, Request({"SET", "Sluice:x", "1"})), "+OK\r\n");
  EXPECT_EQ(node.Ask(id, Request({"GET", "sluice:x"})), "$-1\r\n");
}

// Goal:   cold reads answer as warm ones do, in their place in the pipeline.
TEST(Session, AnswersColdReadsInOrder) {
  NodeFixture node({.cold = true});
  const uint64_t id = node.Connect();
  EXPECT_EQ(
      node.Ask(id, Request({"GET", "a"}) + Request({"SET", "a", "1"}) + Request({"INCR", "a"}) +
                       "PING\r\n" + Request({"GETDEL", "a"}) + Request({"EXISTS", "a", "b"})),
      "$-1\r\n+OK\r\n:2\r\n+PONG\r\n$1\r\n2\r\n:0\r\n");
}

// Goal:   few bytes do not make a lane hold any amount of names of rows on disk: a command that
//         needs too many at once is refused and changes nothing; fewer at a time go on.
// Method: a hash under the longest key there is, in the store only; many and fewer of its fields.
TEST(Session, BoundsWhatOneCommandReadsFromDisk) {
  NodeFixture node({.cold = true});
  const uint64_t id = node.Connect();
  const std::string key(model::kKeyBytesMax, 'k');
  constexpr size_t kFields = 1200;
  const auto fields = [&key](std::string_view command, size_t count) {
    const bool sets = command == "HSET";
    std::string bytes = fmt::format("*{}\r\n", 2 + count * (sets ? 2 : 1));
    const auto add = [&bytes](std::string_view word) {
      bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
    };
    add(command);
    add(key);
    for (size_t i = 0; i < count; ++i) {
      add(fmt::format("f{}", i));
      if (sets) add("v");
    }
    return bytes;
  };
  EXPECT_EQ(node.Ask(id, fields("HSET", kFields)), ":1200\r\n");
  node.Sync();
  node.StoreBuffers();
  const std::string refusal = "-" + std::string(command::kTooMuchToRead) + "\r\n";
  for (const size_t count : {kFields, size_t{900}}) {
    EXPECT_EQ(node.Ask(id, fields("HMGET", count)), refusal) << count;
    EXPECT_EQ(node.Ask(id, fields("HDEL", count)), refusal) << count;
  }
  EXPECT_EQ(node.Ask(id, Request({"HLEN", key})), ":1200\r\n");
  for (const size_t count : {size_t{1}, size_t{100}, size_t{700}}) {
    const std::string got = node.Ask(id, fields("HMGET", count));
    EXPECT_TRUE(got.starts_with(fmt::format("*{}\r\n$1\r\nv\r\n", count))) << got.substr(0, 80);
  }
  EXPECT_EQ(node.Ask(id, fields("HDEL", 500)), ":500\r\n");
}

}  // namespace
}  // namespace sluice::server
