// The commands that the server answers itself. The words of Redis are compared with a real one end
// to end; here is what Sluice decides: who may run what, what is refused, what travels over lanes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command/reply_bound.h"
#include "resp/decoder.h"
#include "server/config_items.h"
#include "server/handlers.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Passwords: "secret" for app, "root" for root.
constexpr std::string_view kUsers = R"(
[user.app]
password_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
commands = ["read", "write"]
keys = ["app:*", "shared"]
[user.reader]
password_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
commands = ["read"]
[user.root]
password_sha256 = "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2"
commands = ["read", "write", "admin"]
)";

class Commands : public testing::Test {
 protected:
  std::string Ask(std::initializer_list<std::string_view> args) {
    return node_.Ask(id_, Request(args));
  }
  // The text of a bulk or verbatim reply.
  std::string Text(std::initializer_list<std::string_view> args) { return Decode(args).text; }
  resp::Value Decode(std::initializer_list<std::string_view> args) {
    resp::Value value;
    size_t consumed = 0;
    const std::string reply = Ask(args);
    EXPECT_EQ(resp::Decoder().Next(reply, &consumed, &value), resp::Decoder::Got::kReply) << reply;
    EXPECT_EQ(consumed, reply.size());
    return value;
  }

  NodeFixture node_{{.lanes = 2}};
  uint64_t id_ = node_.Connect();
};

// Goal:   every command of the table that is offered has somebody who answers it: no call of any
//         ends in silence or a crash, whatever its number of arguments.
// Method: each with no, one, two and five arguments; every subcommand of every container too.
TEST_F(Commands, AllAnswer) {
  std::vector<std::vector<std::string_view>> calls;
  for (const command::Spec& spec : command::AllCommands()) {
    if (spec.name == "quit" || spec.name == "shutdown") continue;
    for (const size_t size : {0, 1, 2, 5}) {
      calls.push_back({spec.name});
      calls.back().resize(1 + size, "1");
    }
    for (const Subcommand& sub : SubcommandsOf(spec)) {
      if (sub.name == "reply" || sub.name == "kill") continue;
      for (const size_t size : {0, 1, 2, 5}) {
        calls.push_back({spec.name, sub.name});
        calls.back().resize(2 + size, "1");
      }
    }
  }
  for (const auto& call : calls) {
    std::string request = "*" + std::to_string(call.size()) + "\r\n";
    std::string words;
    for (const std::string_view word : call) {
      request += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
      words += std::string(word) + " ";
    }
    const std::string reply = node_.Ask(id_, request);
    resp::Value value;
    size_t consumed = 0;
    ASSERT_EQ(resp::Decoder().Next(reply, &consumed, &value), resp::Decoder::Got::kReply) << words;
    ASSERT_EQ(consumed, reply.size()) << words << reply;
  }
}

TEST_F(Commands, HelloChoosesTheProtocol) {
  const resp::Value map = Decode({"HELLO", "3", "SETNAME", "me"});
  EXPECT_EQ(map.type, resp::Value::Type::kMap);
  EXPECT_EQ(map.items[3].text, "7.0.15");
  EXPECT_EQ(Text({"CLIENT", "GETNAME"}), "me");
  EXPECT_EQ(Ask({"GET", "none"}), "_\r\n");
  EXPECT_EQ(Ask({"HELLO", "4"}), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(Ask({"GET", "none"}), "_\r\n");
  EXPECT_EQ(Ask({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(Ask({"GET", "none"}), "$-1\r\n");
  EXPECT_EQ(Ask({"CLIENT", "GETNAME"}), "$-1\r\n");
}

TEST_F(Commands, RepliesCanBeTurnedOff) {
  EXPECT_EQ(Ask({"CLIENT", "REPLY", "SKIP"}), "");
  EXPECT_EQ(Ask({"SET", "a", "1"}), "");
  EXPECT_EQ(Ask({"GET", "a"}), "$1\r\n1\r\n");
  EXPECT_EQ(Ask({"CLIENT", "REPLY", "OFF"}), "");
  EXPECT_EQ(Ask({"INCR", "a"}) + Ask({"NOSUCH"}) + Ask({"MGET", "a", "b"}), "");
  EXPECT_EQ(Ask({"CLIENT", "REPLY", "ON"}), "+OK\r\n");
  EXPECT_EQ(Ask({"GET", "a"}), "$1\r\n2\r\n");
}

// Goal:   INFO counts each key that a command which only reads asked for once, wherever it lies; a
//         command that writes counts for neither.
// Method: every kind of read, on keys of two lanes of which one in two is there; sums after each.
// Broken: counting what commands that write look at, too.
TEST_F(Commands, InfoCountsWhatReadsMet) {
  struct Step {
    std::string request;
    uint64_t hits, misses;
  };
  const std::vector<Step> steps = {{Request({"SET", "a", "1"}), 0, 0},
                                   {Request({"HSET", "h", "f", "v"}), 0, 0},
                                   {Request({"INCR", "n"}), 0, 0},
                                   {Request({"GET", "a"}), 1, 0},
                                   {Request({"GET", "none"}), 0, 1},
                                   {Request({"SETNX", "a", "2"}), 0, 0},
                                   {Request({"STRLEN", "a"}), 1, 0},
                                   {Request({"HGET", "h", "none"}), 1, 0},
                                   {Request({"HGETALL", "none"}), 0, 1},
                                   {Request({"EXISTS", "a", "h", "n", "none", "a"}), 4, 1},
                                   {Request({"MGET", "a", "b", "n"}), 2, 1},
                                   {Request({"TTL", "b"}), 0, 1},
                                   {Request({"DEL", "a", "none"}), 0, 0},
                                   {Request({"GET", "a"}), 0, 1},
                                   {Request({"MSETNX", "n", "1"}), 0, 0},
                                   {Request({"TYPE", "h"}), 1, 0}};
  uint64_t hits = 0, misses = 0;
  for (const Step& step : steps) {
    node_.Ask(id_, step.request);
    hits += step.hits;
    misses += step.misses;
    EXPECT_THAT(Text({"INFO", "stats"}),
                HasSubstr(fmt::format("keyspace_hits:{}\r\nkeyspace_misses:{}\r\n", hits, misses)))
        << step.request;
  }
}

// Goal:   INFO walks the shards only for what needs it, once a second, and a database with keys
//         never shows as empty.
// Method: keys in write buffers only; the walk is seen in whether the reply is there at once.
TEST_F(Commands, InfoAsksTheShardsSeldom) {
  const auto at_once = [&](std::initializer_list<std::string_view> args) {
    node_.Turn(0, id_, Request(args));
    const bool there = !node_.Take(id_).empty();
    node_.Rest(id_);
    return there;
  };
  EXPECT_EQ(Text({"INFO", "keyspace"}), "# Keyspace\r\n");
  for (int i = 0; i < 100; ++i) Ask({"SET", "key:" + std::to_string(i), "v"});
  EXPECT_EQ(Text({"INFO", "keyspace"}), "# Keyspace\r\ndb0:keys=100,expires=0,avg_ttl=0\r\n");
  EXPECT_TRUE(at_once({"INFO", "server", "clients"}));
  EXPECT_TRUE(at_once({"INFO"}));
  node_.clock().Advance(KeptStats::kKeptUs);
  EXPECT_TRUE(at_once({"INFO", "server"}));
  EXPECT_FALSE(at_once({"INFO"}));
  EXPECT_TRUE(at_once({"INFO", "keyspace"}));
}

// Goal:   a hash longer than a reply is refused as a whole wherever it lies, and goes on otherwise.
//         Commands on long keys answer within the bound, or do not need the values.
// Method: 49 MiB of fields and of keys, in the buffer and on disk only; reads and then writes.
// Broken: Fetch::Run without its bound, FindAll without it; MGET that looks at all values first.
TEST(LongReplies, AreRefusedWhereverTheValuesLie) {
  for (const bool cold : {false, true}) {
    NodeFixture node({.lanes = 2, .cold = cold});
    const uint64_t id = node.Connect();
    const std::string value(1 << 20, 'v');
    std::string mget = "*51\r\n$4\r\nMGET\r\n", del = "*51\r\n$3\r\nDEL\r\n";
    for (int i = 0; i < 50; ++i) {
      const std::string name = "key:" + std::to_string(10 + i);
      node.Ask(id, Request({"HSET", "hash", name, value}));
      node.Ask(id, Request({"SET", name, value}));
      mget += "$6\r\n" + name + "\r\n";
      del += "$6\r\n" + name + "\r\n";
    }
    if (cold) node.StoreBuffers();
    const std::string too_long = "-" + std::string(command::kHashTooLong) + "\r\n";
    EXPECT_EQ(node.Ask(id, Request({"HGETALL", "hash"})), too_long);
    EXPECT_EQ(node.Ask(id, Request({"HLEN", "hash"})), ":50\r\n");
    EXPECT_EQ(node.Ask(id, Request({"HSTRLEN", "hash", "key:10"})), ":1048576\r\n");
    EXPECT_EQ(node.Ask(id, Request({"HDEL", "hash", "key:10", "key:11", "key:12"})), ":3\r\n");
    EXPECT_EQ(node.Ask(id, mget), "-" + std::string(command::kReplyTooLong) + "\r\n");
    EXPECT_EQ(node.Ask(id, del), ":50\r\n");
  }
}

// Goal:   few bytes of COMMAND do not ask for any amount of reply.
TEST_F(Commands, DescriptionsHaveABound) {
  for (const std::string_view what : {"INFO", "DOCS"}) {
    std::string request = "*1000002\r\n$7\r\nCOMMAND\r\n$4\r\n" + std::string(what) + "\r\n";
    for (int i = 0; i < 1'000'000; ++i) request += "$6\r\nclient\r\n";
    EXPECT_EQ(node_.Ask(id_, request), "-" + std::string(command::kReplyTooLong) + "\r\n");
  }
}

TEST_F(Commands, InfoShowsWhatToolsRead) {
  Ask({"SET", "a", "1"});
  const std::string usual = Text({"INFO"});
  EXPECT_THAT(usual, HasSubstr("redis_version:7.0.15\r\n"));
  EXPECT_THAT(usual, HasSubstr("sluice_version:0.0.test\r\n"));
  EXPECT_THAT(usual, HasSubstr("connected_clients:1\r\n"));
  EXPECT_THAT(usual, HasSubstr("# Keyspace\r\n"));
  EXPECT_THAT(usual, Not(HasSubstr("cmdstat_")));
  EXPECT_THAT(Text({"INFO", "all"}), HasSubstr("cmdstat_set:calls=1,"));
  EXPECT_THAT(Text({"INFO", "CommandStats", "cpu"}), StartsWith("# CPU\r\n"));
  EXPECT_EQ(Text({"INFO", "nosuch"}), "");
  EXPECT_EQ(Ask({"CONFIG", "RESETSTAT"}), "+OK\r\n");
  EXPECT_THAT(Text({"INFO", "commandstats"}), Not(HasSubstr("cmdstat_set")));
}

TEST_F(Commands, ConfigShowsAndChanges) {
  EXPECT_EQ(Ask({"CONFIG", "GET", "save"}), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(
      Ask({"CONFIG", "GET", "APPENDO*", "maxmemory-policy"}),
      "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "nosuch"}), "*0\r\n");
  const std::string all = Ask({"CONFIG", "GET", "*"});
  EXPECT_THAT(all, HasSubstr("server.memory\r\n$4\r\n1GiB"));
  EXPECT_THAT(all, Not(HasSubstr("2bb80d53"))) << "no password leaves, not even hashed";
  EXPECT_EQ(Ask({"CONFIG", "SET", "slowlog-max-len", "5", "maxclients", "100"}), "+OK\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "slowlog-max-len"}),
            "*2\r\n$15\r\nslowlog-max-len\r\n$1\r\n5\r\n");
  EXPECT_THAT(Ask({"CONFIG", "SET", "maxclients", "7", "server.memory", "2GiB"}),
              HasSubstr("takes effect at the next start"));
  EXPECT_EQ(Ask({"CONFIG", "GET", "maxclients"}), "*2\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n")
      << "all or nothing";
  EXPECT_THAT(Ask({"CONFIG", "SET", "nosuch", "1"}), HasSubstr("Unknown option"));
  EXPECT_EQ(Ask({"CONFIG", "SET", "keyspace.default.ttl", "5m", "maxclients", "9"}), "+OK\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "keyspace.default.ttl", "maxclients"}),
            "*4\r\n$10\r\nmaxclients\r\n$1\r\n9\r\n$20\r\nkeyspace.default.ttl\r\n$2\r\n5m"
            "\r\n");
  EXPECT_THAT(Ask({"CONFIG", "SET", "maxclients", "7", "keyspace.default.ttl", "soon"}),
              HasSubstr("(possibly related to argument 'keyspace.default.ttl') - "));
  EXPECT_EQ(Ask({"CONFIG", "GET", "maxclients"}), "*2\r\n$10\r\nmaxclients\r\n$1\r\n9\r\n");
  EXPECT_THAT(Ask({"CONFIG", "SET", "maxclients", "0"}), HasSubstr("must be between"));
}

// Goal:   of several settings the one that is wrong is named, whatever its place, and names are of
//         any case.
// Method: a good value beside a bad one, in both orders; a setting whose name begins another's.
TEST_F(Commands, ConfigSetNamesWhatIsWrong) {
  const auto blamed = [](std::string_view name) {
    return HasSubstr(fmt::format("(possibly related to argument '{}') - ", name));
  };
  EXPECT_THAT(Ask({"CONFIG", "SET", "log.group_delay", "5ms", "log.group_bytes", "abc"}),
              blamed("log.group_bytes"));
  EXPECT_THAT(Ask({"CONFIG", "SET", "log.group_bytes", "abc", "log.group_delay", "5ms"}),
              blamed("log.group_bytes"));
  constexpr std::string_view kLimit = "keyspace.default.limit",
                             kMode = "keyspace.default.limit_mode";
  EXPECT_THAT(Ask({"CONFIG", "SET", kLimit, "5/s", kMode, "x"}), blamed(kMode));
  EXPECT_THAT(Ask({"CONFIG", "SET", kMode, "x", kLimit, "5/s"}), blamed(kMode));
  EXPECT_THAT(Ask({"CONFIG", "SET", kMode, "observe", kLimit, "x"}), blamed(kLimit));
  EXPECT_EQ(Ask({"CONFIG", "SET", "LOG.Group_Delay", "7ms", "KEYSPACE.Default.TTL", "9m"}),
            "+OK\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "log.group_delay"}),
            "*2\r\n$15\r\nlog.group_delay\r\n$3\r\n7ms\r\n");
  EXPECT_EQ(Ask({"CONFIG", "GET", "keyspace.default.ttl"}),
            "*2\r\n$20\r\nkeyspace.default.ttl\r\n$2\r\n9m\r\n");
  EXPECT_THAT(Ask({"CONFIG", "SET", "SERVER.MEMORY", "2GiB"}),
              HasSubstr("takes effect at the next start"));
  EXPECT_THAT(Ask({"CONFIG", "SET", "APPENDONLY", "no"}), HasSubstr("cannot be set"));
}

TEST_F(Commands, SlowlogKeepsTheLatest) {
  EXPECT_EQ(Ask({"CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "2"}),
            "+OK\r\n");
  for (const std::string_view key : {"a", "b", "c"}) Ask({"SET", key, std::string(200, 'v')});
  const resp::Value slow = Decode({"SLOWLOG", "GET"});
  ASSERT_EQ(slow.items.size(), 2u);
  EXPECT_EQ(slow.items[0].items[3].items[1].text, "c");
  EXPECT_THAT(slow.items[0].items[3].items[2].text, HasSubstr("... (72 more bytes)"));
  EXPECT_EQ(Ask({"CONFIG", "SET", "slowlog-log-slower-than", "-1"}), "+OK\r\n");
  EXPECT_EQ(Ask({"SLOWLOG", "RESET"}), "+OK\r\n");
  EXPECT_EQ(Ask({"SLOWLOG", "LEN"}), ":0\r\n");
}

TEST_F(Commands, CommandTellsWhereKeysAre) {
  EXPECT_EQ(Ask({"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"}),
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(Ask({"COMMAND", "GETKEYS", "SET", "a", "1"}), "*1\r\n$1\r\na\r\n");
  EXPECT_THAT(Ask({"COMMAND", "GETKEYS", "NOSUCH", "a"}), HasSubstr("Invalid command"));
  EXPECT_THAT(Ask({"COMMAND", "GETKEYS", "ECHO", "a"}), HasSubstr("no key arguments"));
  const resp::Value all = Decode({"COMMAND"});
  EXPECT_EQ(Decode({"COMMAND", "COUNT"}).number, static_cast<int64_t>(all.items.size()));
  for (const resp::Value& entry : all.items) EXPECT_EQ(entry.items.size(), 10u);
}

TEST_F(Commands, ShardsCoverAllTokens) {
  const resp::Value shards = Decode({"SLUICE", "SHARDS"});
  ASSERT_EQ(shards.items.size(), node_.node().router->map().shards().size());
  std::string end;
  for (const resp::Value& shard : shards.items) {
    EXPECT_EQ(shard.items[0].text, "shard");
    EXPECT_EQ(shard.items[4].text, "range");
    EXPECT_EQ(shard.items[5].items[0].text, end);
    end = shard.items[5].items[1].text;
  }
  EXPECT_EQ(end, "");
  EXPECT_THAT(Ask({"SLUICE", "SHARDS", "nosuch"}), StartsWith("-ERR there is no keyspace"));
  const resp::Value route = Decode({"SLUICE", "ROUTE", "some:key"});
  EXPECT_EQ(route.items[1].text, "default");
}

TEST_F(Commands, LaterOnesSaySo) {
  EXPECT_EQ(Ask({"SLUICE", "reshard", "1"}),
            "-ERR 'SLUICE RESHARD' is not available yet in this version of Sluice\r\n");
  EXPECT_THAT(Ask({"SLUICE", "NOSUCH"}),
              StartsWith("-ERR unknown subcommand 'NOSUCH'. Try SLUICE"));
  EXPECT_THAT(Ask({"SADD", "a", "b"}), HasSubstr("not available yet"));
}

// Goal:   an answer for a client that left is dropped, while others get theirs.
TEST_F(Commands, AnswersForThoseWhoLeftAreDropped) {
  const uint64_t other = node_.Connect();
  node_.Turn(0, other, Request({"CLIENT", "LIST"}) + Request({"INFO"}));
  node_.connections().Close(other);
  EXPECT_THAT(Text({"CLIENT", "LIST"}), HasSubstr("cmd=client|list user=default"));
}

class Permissions : public testing::Test {
 protected:
  std::string Ask(std::initializer_list<std::string_view> args) {
    return node_.Ask(id_, Request(args));
  }
  NodeFixture node_{{.config = std::string(kUsers)}};
  uint64_t id_ = node_.Connect();
};

TEST_F(Permissions, NobodyDoesAnythingBeforeAuth) {
  for (const command::Spec& spec : command::AllCommands()) {
    if (spec.flags & (command::kNoAuth | command::kUnavailable)) continue;
    std::vector<std::string_view> words(static_cast<size_t>(std::abs(spec.arity)), "x");
    words[0] = spec.name;
    std::string request = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string_view word : words) {
      request += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
    }
    EXPECT_EQ(node_.Ask(id_, request), "-NOAUTH Authentication required.\r\n") << spec.name;
  }
  EXPECT_THAT(Ask({"HELLO", "3"}), StartsWith("-NOAUTH HELLO must be called"));
  EXPECT_THAT(Ask({"AUTH", "app", "wrong"}), StartsWith("-WRONGPASS"));
  EXPECT_THAT(Ask({"AUTH", "nosuch", "secret"}), StartsWith("-WRONGPASS"));
  EXPECT_EQ(Ask({"AUTH", "app", "secret"}), "+OK\r\n");
  EXPECT_EQ(Ask({"SET", "app:1", "x"}), "+OK\r\n");
  EXPECT_EQ(Ask({"RESET"}), "+RESET\r\n");
  EXPECT_THAT(Ask({"GET", "app:1"}), StartsWith("-NOAUTH"));
}

TEST_F(Permissions, KeysAndClassesAreChecked) {
  constexpr std::string_view kKeys =
      "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
  EXPECT_EQ(Ask({"AUTH", "app", "secret"}), "+OK\r\n");
  EXPECT_EQ(Ask({"MSET", "app:1", "x", "shared", "y"}), "+OK\r\n");
  EXPECT_EQ(Ask({"MSET", "app:1", "x", "other", "y"}), kKeys);
  EXPECT_EQ(Ask({"MGET", "app:1", "other"}), kKeys);
  EXPECT_EQ(Ask({"SLUICE", "ONCE", "t", "INCR", "other"}), kKeys);
  EXPECT_EQ(Ask({"SLUICE", "RANGE", "default", "FROM", "a", "TO", "b"}), kKeys);
  for (const std::string_view gather : {"DBSIZE", "FLUSHALL", "RANDOMKEY"}) {
    EXPECT_EQ(Ask({gather}), kKeys) << gather;
  }
  EXPECT_EQ(Ask({"KEYS", "*"}), kKeys);
  EXPECT_EQ(Ask({"SCAN", "0"}), kKeys);
  EXPECT_EQ(Ask({"CONFIG", "GET", "*"}),
            "-NOPERM this user has no permissions to run the 'config|get' command\r\n");
  EXPECT_THAT(Ask({"CLIENT", "KILL", "ID", "1"}), StartsWith("-NOPERM"));
  EXPECT_THAT(Ask({"SHUTDOWN"}), StartsWith("-NOPERM"));
  EXPECT_EQ(Ask({"ACL", "WHOAMI"}), "$3\r\napp\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETNAME", "x"}), "+OK\r\n");
  EXPECT_EQ(Ask({"AUTH", "reader", "secret"}), "+OK\r\n");
  EXPECT_EQ(Ask({"GET", "shared"}), "$1\r\ny\r\n");
  EXPECT_THAT(Ask({"SET", "shared", "z"}), StartsWith("-NOPERM"));
  EXPECT_THAT(Ask({"SLUICE", "ONCE", "t", "SET", "shared", "z"}), StartsWith("-NOPERM"));
  EXPECT_EQ(Ask({"AUTH", "root", "root"}), "+OK\r\n");
  EXPECT_EQ(Ask({"DBSIZE"}), ":2\r\n");
  EXPECT_THAT(Ask({"ACL", "LIST"}), HasSubstr("user app on #2bb80d53"));
}

// Goal:   before AUTH nobody can make the server keep much: few and short arguments, little output.
TEST_F(Permissions, StrangersGetLittleRoom) {
  EXPECT_THAT(node_.Ask(id_, "*11\r\n"), HasSubstr("unauthenticated multibulk length"));
  EXPECT_FALSE(node_.Open(id_));
  const uint64_t second = node_.Connect();
  EXPECT_THAT(node_.Ask(second, "*1\r\n$16385\r\n"), HasSubstr("unauthenticated bulk length"));
  const uint64_t third = node_.Connect();
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += "PING\r\n";
  for (int i = 0; i < 100; ++i) node_.Turn(0, third, pings);
  const Session& session = *node_.connections().Find(third);
  EXPECT_LE(session.replies().bytes(), kOutputBytesMaxBeforeAuth + 100);
  EXPECT_EQ(session.input_bytes(), 0u) << "who never reads is not listened to";
  EXPECT_THAT(node_.Take(third), StartsWith("-NOAUTH"));
  EXPECT_FALSE(node_.Open(third));
  const uint64_t fourth = node_.Connect();
  EXPECT_EQ(node_.Ask(fourth, Request({"AUTH", "app", "secret"})), "+OK\r\n");
  EXPECT_EQ(node_.Ask(fourth, Request({"SET", "app:1", std::string(100'000, 'v')})), "+OK\r\n");
}

}  // namespace
}  // namespace sluice::server
