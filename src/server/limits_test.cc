// Limits, refusals and SLUICE WHY as a connection meets them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/prng.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr uint64_t kSecondUs = 1'000'000;

// Limits by the hour, so that what a test itself takes gives nothing back.
NodeOptions Options(size_t lanes = 1, bool cold = false) {
  return {.lanes = lanes,
          .config =
              "[keyspace.likes]\nkey = \"likes:{post}:{user}\"\nlimit = \"6/h burst 5\"\n"
              "[keyspace.carts]\nkey = \"cart:{id}\"\nlimit = \"12/h burst 8\"\n"
              "[keyspace.plain]\nkey = \"plain:{id}\"\n",
          .cold = cold};
}

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) {
    ++count;
  }
  return count;
}

std::string Sets(std::string_view keyspace, int count, int from = 0) {
  std::string bytes;
  for (int i = from; i < from + count; ++i) {
    bytes +=
        Request({"SET", fmt::format("{}:{}{}", keyspace, i, keyspace == "likes" ? ":u" : ""), "v"});
  }
  return bytes;
}

std::string Set(NodeFixture& node, uint64_t id, std::string_view name, std::string_view value) {
  return node.Ask(id, Request({"CONFIG", "SET", name, value}));
}

// Goal:   in a pipeline, writes past a limit are refused in the documented form, in their places,
//         and change nothing; reads and other keyspaces are not limited; after the time that a
//         refusal names, a write passes.
// Method: pipelines on one lane and on several, from whatever lane.
TEST(LimitsOfASession, RefuseInTheirPlaces) {
  for (const size_t lanes : {1, 2, 3}) {
    NodeFixture node(Options(lanes));
    const uint64_t id = node.Connect(lanes - 1);
    const auto ask = [&](const std::string& bytes) { return node.Ask(id, bytes, lanes - 1); };
    const std::string refusal =
        "-THROTTLED reason=limit scope=likes retry_ms=600000 applied=no\r\n";
    std::string pipeline = Request({"SET", "plain:1", "v"});
    std::string expected = "+OK\r\n";
    for (int i = 0; i < 8; ++i) {
      pipeline += Sets("likes", 1, i) + Request({"GET", fmt::format("likes:{}:u", i)});
      expected += i < 5 ? "+OK\r\n$1\r\nv\r\n" : refusal + "$-1\r\n";
    }
    const std::string replies = ask(pipeline);
    const auto alike = [](std::string text) {  // the clock of a later command is a little later
      for (size_t at = 0; (at = text.find("retry_ms=59999", at)) != std::string::npos;) {
        text.replace(at, 15, "retry_ms=600000");
      }
      return text;
    };
    EXPECT_EQ(alike(replies), expected);
    EXPECT_EQ(ask(Sets("plain", 50)), [] {
      std::string all;
      for (int i = 0; i < 50; ++i) all += "+OK\r\n";
      return all;
    }());
    EXPECT_EQ(Count(ask(Sets("carts", 3)), "+OK"), 3u) << "keys of no template have no limit";
    node.clock().Advance(600 * kSecondUs);
    EXPECT_EQ(Count(ask(Sets("likes", 3, 20)), "+OK"), 1u);
    EXPECT_EQ(node.node().write_limits->meters(model::KeyspaceId(1)).refused(admit::Limit::kAll),
              5u);
  }
}

// Goal:   a command over several keyspaces passes all limits or takes from none; one over more keys
//         than a burst is told at once that it can never pass.
// Method: MSET over two keyspaces with one exhausted; then what the other has left.
TEST(LimitsOfASession, AreAllOrNothing) {
  for (const size_t lanes : {1, 2}) {
    NodeFixture node(Options(lanes));
    const uint64_t id = node.Connect();
    EXPECT_EQ(Count(node.Ask(id, Sets("likes", 4)), "+OK"), 4u);
    for (int i = 0; i < 20; ++i) {
      EXPECT_THAT(node.Ask(id, Request({"MSET", "cart:1", "v", "likes:1:a", "v", "likes:1:b", "v",
                                        "plain:1", "v"})),
                  StartsWith("-THROTTLED reason=limit scope=likes retry_ms="));
    }
    EXPECT_EQ(node.Ask(id, Request({"EXISTS", "cart:1", "plain:1"})), ":0\r\n");
    EXPECT_EQ(Count(node.Ask(id, Sets("cart", 9)), "+OK"), 8u) << "nothing had been taken";
    EXPECT_EQ(node.Ask(id, Request({"MSET", "likes:1:a", "v"})), "+OK\r\n");
    EXPECT_THAT(node.Ask(id, Request({"DEL", "likes:0:u"})), StartsWith("-THROTTLED "));
    std::vector<std::string> words = {"MSET"};
    for (int i = 0; i < 6; ++i) {
      words.push_back(fmt::format("likes:{}:x", i));
      words.push_back("v");
    }
    std::string mset = "*13\r\n";
    for (const std::string& word : words) mset += fmt::format("${}\r\n{}\r\n", word.size(), word);
    EXPECT_EQ(
        node.Ask(id, mset),
        "-ERR 6 writes in one command can never pass limit of likes, whose burst is 5; nothing "
        "was applied\r\n");
  }
}

// Goal:   applied=no is never said of a write that was applied: the retry of a once token that is
//         done gets its first reply though the limit is exhausted, and a token that was refused is
//         new again.
// Method: single keys and several, on lanes of their own and others', rows in memory and on disk.
TEST(LimitsOfASession, KnownTokensAreAnswered) {
  for (const size_t lanes : {1, 2, 3}) {
    for (const bool cold : {false, true}) {
      NodeFixture node(Options(lanes, cold));
      const uint64_t id = node.Connect();
      const auto once = [&](std::string_view token, std::string_view key) {
        return Request({"SLUICE", "ONCE", token, "INCR", key});
      };
      const auto both = [&](std::string_view token, std::string_view value) {
        return Request({"SLUICE", "ONCE", token, "MSET", "likes:1:m", value, "likes:2:m", value});
      };
      EXPECT_EQ(node.Ask(id, once("a", "likes:1:u")), ":1\r\n");
      EXPECT_EQ(node.Ask(id, both("m", "v")), "+OK\r\n");
      EXPECT_EQ(node.Ask(id, once("b", "likes:2:u")), ":1\r\n");
      node.Ask(id, Sets("likes", 9));
      if (cold) node.StoreBuffers();
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(node.Ask(id, once("a", "likes:1:u")), ":1\r\n");
        EXPECT_EQ(node.Ask(id, both("m", "v")), "+OK\r\n");
        EXPECT_THAT(node.Ask(id, both("m", "w")), StartsWith("-TOKENMISMATCH"));
        EXPECT_THAT(node.Ask(id, once("c", "likes:3:u")), StartsWith("-THROTTLED reason=limit"));
        EXPECT_THAT(node.Ask(id, both("n", "w")), StartsWith("-THROTTLED reason=limit"));
      }
      EXPECT_EQ(node.Ask(id, Request({"MGET", "likes:3:u", "likes:1:m"})),
                "*2\r\n$-1\r\n$1\r\nv\r\n");
      node.clock().Advance(1'200 * kSecondUs);
      EXPECT_EQ(node.Ask(id, once("c", "likes:3:u")), ":1\r\n");
    }
  }
}

// Goal:   a retry of a known token takes nothing of any limit: its write was counted when it was
//         applied.
// Method: a token and a producer's number, over one key and several, retried more often than all
//         limits allow; then what is left is counted. On the lane of the key and others, with rows
//         in memory and on disk.
TEST(LimitsOfASession, KnownTokensTakeNothing) {
  for (const size_t lanes : {1, 2, 3}) {
    for (const bool cold : {false, true}) {
      NodeOptions options = Options(lanes, cold);
      options.config +=
          "[keyspace.posts]\nkey = \"post:{id}:{n}\"\nlimit = \"6/h burst 9\"\n"
          "client_limit = \"6/h burst 8\"\n"
          "limit_by = { segment = \"id\", rate = \"6/h burst 7\" }\n";
      NodeFixture node(options);
      const uint64_t id = node.Connect();
      const std::string one = Request({"SLUICE", "ONCE", "t", "INCR", "post:1:a"});
      const std::string number = Request({"SLUICE", "ONCE", "@p", "1", "INCR", "post:1:b"});
      const std::string two =
          Request({"SLUICE", "ONCE", "m", "MSET", "post:1:c", "v", "post:1:d", "v"});
      for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(node.Ask(id, one), ":1\r\n") << i;
        ASSERT_EQ(node.Ask(id, number), ":1\r\n") << i;
        ASSERT_EQ(node.Ask(id, two), "+OK\r\n") << i;
        if (cold && i == 0) node.StoreBuffers();
      }
      std::string rest;
      for (int i = 0; i < 9; ++i) rest += Request({"SET", fmt::format("post:1:{}", i), "v"});
      EXPECT_EQ(Count(node.Ask(id, rest), "+OK"), 3u) << "four of seven were counted";
    }
  }
}

// Goal:   limits change by CONFIG SET while clients write: lowered, raised, taken away, observed;
//         no connection is closed and every reply is OK or THROTTLED.
// Method: a sequence of changes, and how many of a pipeline pass after each.
TEST(LimitsOfASession, ChangeLive) {
  NodeFixture node(Options(2));
  const uint64_t id = node.Connect();
  const auto passes = [&](int of) {
    const std::string replies = node.Ask(id, Sets("likes", of));
    EXPECT_EQ(Count(replies, "+OK\r\n") + Count(replies, "-THROTTLED"), size_t(of));
    return Count(replies, "+OK\r\n");
  };
  EXPECT_EQ(passes(100), 5u);
  EXPECT_EQ(Set(node, id, "keyspace.likes.limit", "6/h burst 90"), "+OK\r\n");
  EXPECT_EQ(passes(500), 85u) << "five of them were taken";
  EXPECT_EQ(Set(node, id, "keyspace.likes.limit", "1/h burst 2"), "+OK\r\n");
  EXPECT_EQ(passes(500), 0u);
  EXPECT_EQ(Set(node, id, "keyspace.likes.limit_mode", "observe"), "+OK\r\n");
  EXPECT_EQ(passes(500), 500u);
  const admit::Meters& meters = node.node().write_limits->meters(model::KeyspaceId(1));
  EXPECT_EQ(meters.observed(admit::Limit::kAll), 500u);
  EXPECT_EQ(Set(node, id, "keyspace.likes.limit_mode", "enforce"), "+OK\r\n");
  EXPECT_EQ(passes(500), 0u);
  EXPECT_EQ(Set(node, id, "keyspace.likes.limit", "none"), "+OK\r\n");
  EXPECT_EQ(passes(500), 500u);
  EXPECT_THAT(Set(node, id, "keyspace.likes.limit", "0/s"), HasSubstr("would refuse every write"));
  EXPECT_EQ(passes(500), 500u);
}

// Goal:   a client limit counts users, whatever they connect from, and addresses of those who are
//         none; a segment limit counts values, whoever writes them, and shows them as one word.
// Method: two users and a stranger on two lanes.
TEST(LimitsOfASession, CountClientsAndValues) {
  NodeOptions options{.lanes = 2};
  const std::string hash = "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918";
  options.config = fmt::format(
      "[keyspace.likes]\nkey = \"likes:{{post}}:{{user}}\"\nclient_limit = \"6/h burst 5\"\n"
      "limit_by = {{ segment = \"post\", rate = \"6/h burst 3\" }}\n"
      "[user.default]\n[user.a]\npassword_sha256 = \"{}\"\n[user.b]\npassword_sha256 = \"{}\"\n",
      hash, hash);
  NodeFixture node(options);
  std::string value = "x y";
  const auto refused = [&](uint64_t id, size_t lane) {
    for (int i = 0; i < 100; ++i) {
      const std::string key =
          fmt::format("likes:{}:{}", value.empty() ? std::to_string(i) : value, i);
      const std::string reply = node.Ask(id, Request({"SET", key, "v"}), lane);
      if (reply != "+OK\r\n") return std::to_string(i) + reply.substr(0, reply.find(" retry_ms"));
    }
    return std::string();
  };
  const uint64_t stranger = node.Connect(0), a0 = node.Connect(0), a1 = node.Connect(1),
                 b = node.Connect(1);
  node.Ask(a0, Request({"AUTH", "a", "admin"}), 0);
  node.Ask(a1, Request({"AUTH", "a", "admin"}), 1);
  node.Ask(b, Request({"AUTH", "b", "admin"}), 1);
  EXPECT_EQ(refused(a0, 0), "3-THROTTLED reason=limit_by scope=likes/post:x\\x20y");
  EXPECT_EQ(refused(b, 1), "0-THROTTLED reason=limit_by scope=likes/post:x\\x20y");
  value.clear();
  EXPECT_EQ(refused(a1, 1), "2-THROTTLED reason=client_limit scope=likes/user:a");
  EXPECT_EQ(refused(a0, 0), "0-THROTTLED reason=client_limit scope=likes/user:a");
  EXPECT_EQ(refused(b, 1), "5-THROTTLED reason=client_limit scope=likes/user:b");
  node.clock().Advance(3'600 * kSecondUs);
  value.clear();
  EXPECT_EQ(refused(stranger, 0), "5-THROTTLED reason=client_limit scope=likes/address:10.0.0.1");
}

// Goal:   SLUICE PRIORITY lowers a connection's class and never raises it above the keyspace's; the
//         class is that of the refusal; RESET takes it back.
// Method: a store that takes nothing refuses writes of two keyspaces, under each class.
TEST(LimitsOfASession, PriorityIsTheLowerOfTheTwo) {
  NodeOptions options{.lanes = 2,
                      .config =
                          "[keyspace.top]\nkey = \"top:{id}\"\npriority = \"critical\"\n"
                          "[keyspace.low]\nkey = \"low:{id}\"\npriority = \"low\"\n"};
  options.limits.buffer_bytes = 1 << 20;
  NodeFixture node(options);
  const uint64_t id = node.Connect();
  node.RefuseRuns(Code::kIo);
  const std::string value(1 << 17, 'v');
  for (int i = 0; i < 200; ++i) node.Ask(id, Request({"SET", fmt::format("top:{}", i), value}));
  const auto class_of = [&](std::string_view key) {
    const std::string reply = node.Ask(id, Request({"SET", key, value}));
    const size_t at = reply.find("class=");
    return at == std::string::npos ? reply : reply.substr(at, reply.find(' ', at) - at);
  };
  EXPECT_EQ(class_of("top:0"), "class=critical");
  EXPECT_EQ(class_of("low:0"), "class=low");
  EXPECT_EQ(class_of("other"), "class=normal");
  EXPECT_EQ(node.Ask(id, Request({"SLUICE", "PRIORITY", "normal"})), "+OK\r\n");
  EXPECT_EQ(class_of("top:0"), "class=normal");
  EXPECT_EQ(class_of("low:0"), "class=low");
  EXPECT_EQ(node.Ask(id, Request({"SLUICE", "PRIORITY", "BACKGROUND"})), "+OK\r\n");
  EXPECT_EQ(class_of("low:0"), "class=background");
  EXPECT_EQ(node.Ask(id, Request({"HELLO", "2"})).substr(0, 1), "*");
  EXPECT_EQ(class_of("low:0"), "class=background") << "HELLO says nothing of it";
  EXPECT_THAT(node.Ask(id, Request({"SLUICE", "PRIORITY", "high"})),
              StartsWith("-ERR there is no class 'high'"));
  const std::string why = node.Ask(id, Request({"SLUICE", "WHY"}));
  EXPECT_GE(Count(why, "outcome\r\n"), 3u);
  EXPECT_EQ(Count(why, "command\r\n$3\r\nset\r\n"), Count(why, "outcome\r\n"))
      << "other lanes' refusals are of a command too";
  EXPECT_EQ(node.Ask(id, Request({"RESET"})), "+RESET\r\n");
  EXPECT_EQ(class_of("top:0"), "class=critical");
}

// Goal:   SLUICE WHY tells what refused this connection's writes, in both protocols, newest first,
//         repeated causes counted, what was only observed in its own word; nothing of others; no
//         more than its bound; RESET forgets.
// Method: refusals of several kinds, then the reply, byte by byte.
TEST(LimitsOfASession, WhyTellsWhatRefused) {
  NodeFixture node(Options());
  const uint64_t id = node.Connect(), other = node.Connect();
  const std::string why = Request({"SLUICE", "WHY"});
  EXPECT_EQ(node.Ask(id, why), "*0\r\n");
  node.Ask(id, Sets("likes", 7));
  Set(node, id, "keyspace.likes.limit_mode", "observe");
  node.clock().Advance(kSecondUs);
  node.Ask(id, Request({"INCR", "likes:new:u"}));
  const std::string reply = node.Ask(id, why);
  EXPECT_THAT(reply,
              StartsWith("*2\r\n*14\r\n$7\r\noutcome\r\n$8\r\nobserved\r\n$7\r\ncommand\r\n$4\r\n"
                         "incr\r\n$5\r\ntimes\r\n:1\r\n$6\r\nms_ago\r\n:"));
  EXPECT_THAT(reply,
              HasSubstr("\r\n*16\r\n$7\r\noutcome\r\n$7\r\nrefused\r\n$7\r\ncommand\r\n$3\r\nset"
                        "\r\n$5\r\ntimes\r\n:2\r\n$6\r\nms_ago\r\n:10"));
  EXPECT_THAT(reply, HasSubstr("$6\r\nreason\r\n$5\r\nlimit\r\n$5\r\nscope\r\n$5\r\nlikes\r\n$8\r\n"
                               "retry_ms\r\n"));
  EXPECT_THAT(reply, testing::EndsWith("$7\r\napplied\r\n$2\r\nno\r\n"));
  node.Ask(id, Request({"HELLO", "3"}));
  EXPECT_THAT(node.Ask(id, why), StartsWith("*2\r\n%7\r\n$7\r\noutcome\r\n$8\r\nobserved\r\n"));
  EXPECT_EQ(node.Ask(other, why), "*0\r\n");
  EXPECT_EQ(node.Ask(id, Request({"RESET"})), "+RESET\r\n");
  EXPECT_EQ(node.Ask(id, why), "*0\r\n");
}

// Goal:   SLUICE WHY knows the refusals that name no time to come again: what can never pass, as
//         one entry however many writes it has, and no room on the disk.
// Method: MSETs of several sizes past the burst, then a write while the disk is low.
TEST(LimitsOfASession, WhyTellsWhatWillNotPass) {
  for (const size_t lanes : {1, 3}) {
    NodeFixture node(Options(lanes));
    const uint64_t id = node.Connect();
    const auto sets = [](int keys) {
      std::string bytes = fmt::format("*{}\r\n$4\r\nMSET\r\n", 2 * keys + 1);
      for (int i = 0; i < keys; ++i) bytes += fmt::format("$9\r\nlikes:{}:u\r\n$1\r\nv\r\n", i);
      return bytes;
    };
    for (const int keys : {6, 7, 8}) {
      EXPECT_THAT(node.Ask(id, sets(keys)), HasSubstr("can never pass limit of likes")) << keys;
    }
    node.node().disk_low = true;
    EXPECT_THAT(node.Ask(id, Request({"SET", "plain:1", "v"})), StartsWith("-NOSPACE "));
    const std::string why = node.Ask(id, Request({"SLUICE", "WHY"}));
    EXPECT_EQ(Count(why, "outcome\r\n$7\r\nrefused"), 2u) << why;
    EXPECT_THAT(why, HasSubstr("command\r\n$3\r\nset\r\n$5\r\ntimes\r\n:1\r\n"));
    EXPECT_THAT(why, HasSubstr("reason\r\n$4\r\ndisk\r\n$7\r\napplied\r\n$2\r\nno\r\n"));
    EXPECT_THAT(why, HasSubstr("command\r\n$4\r\nmset\r\n$5\r\ntimes\r\n:3\r\n"));
    EXPECT_THAT(why, testing::EndsWith("scope\r\n$5\r\nlikes\r\n$6\r\nwrites\r\n$1\r\n8\r\n$5\r\n"
                                       "burst\r\n$1\r\n5\r\n$7\r\napplied\r\n$2\r\nno\r\n"));
  }
}

// Goal:   whatever is noted, in whatever order, the entries stay within their bound and the newest
//         are there.
// Method: drawn causes against a list that is searched from its end.
TEST(Why, KeepsTheNewest) {
  Prng prng(1);
  Why why;
  std::vector<std::string> newest;  // reasons, the newest first
  for (int i = 0; i < 2'000; ++i) {
    const std::string reason = fmt::format("r{}", prng.Below(40));
    why.Waited(reason, model::Priority::kLow, 1'000, uint64_t(i));
    std::erase(newest, reason);
    newest.insert(newest.begin(), reason);
    std::string bytes;
    resp::Reply reply(bytes, resp::Version::k3);
    why.Tell(reply, uint64_t(i));
    size_t at = 0;
    for (size_t k = 0; k < std::min(newest.size(), Why::kEntries); ++k) {
      at = bytes.find("\r\n" + newest[k] + "\r\n", at);
      ASSERT_NE(at, std::string::npos) << i;
    }
    ASSERT_EQ(Count(bytes, "outcome"), std::min(newest.size(), Why::kEntries));
  }
}

}  // namespace
}  // namespace sluice::server
