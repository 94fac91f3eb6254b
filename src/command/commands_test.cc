#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "command/fake_view.h"
#include "command/reply_bound.h"

namespace sluice::command {
namespace {

struct Exchange {
  const char* words;
  const char* reply;
};

void Play(FakeView& view, const std::vector<Exchange>& exchanges,
          resp::Version version = resp::Version::k2) {
  for (const auto& [words, reply] : exchanges) {
    EXPECT_EQ(Say(view, words, version), reply) << words;
  }
}

constexpr const char* kWrong = "!WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kNoInt = "!ERR value is not an integer or out of range";
constexpr const char* kRefused =
    "!ERR keyspace is append-only: it refuses deleting and overwriting";

// Goal:   SET and its relatives answer as Redis does, whatever their options.
// Method: a conversation.
TEST(Commands, Strings) {
  FakeView view;
  Play(view, {{"GET k", "nil"},
              {"SET k v", "OK"},
              {"GET k", "'v'"},
              {"SET k w NX", "nil"},
              {"SET k w XX GET", "'v'"},
              {"SET z w XX", "nil"},
              {"SET z w XX GET", "nil"},
              {"SET k x NX GET", "'w'"},
              {"SET k x NX XX", "!ERR syntax error"},
              {"SET k x EX", "!ERR syntax error"},
              {"SET k x EX 5 PX 5", "!ERR syntax error"},
              {"SET k x KEEPTTL EX 5", "!ERR syntax error"},
              {"SET k x PERSIST", "!ERR syntax error"},
              {"SET k x EX a", kNoInt},
              {"SET k x EX 0", "!ERR invalid expire time in 'set' command"},
              {"SET k x EX 9223372036854775", "!ERR invalid expire time in 'set' command"},
              {"SET k x PX 9223372036854775807", "!ERR invalid expire time in 'set' command"},
              {"SETEX k -1 x", "!ERR invalid expire time in 'setex' command"},
              {"PSETEX k 0 x", "!ERR invalid expire time in 'psetex' command"},
              {"SET k x EX 5 EX 100", "OK"},
              {"TTL k", ":100"},
              {"SET k y KEEPTTL", "OK"},
              {"TTL k", ":100"},
              {"SET k y", "OK"},
              {"TTL k", ":-1"},
              {"SET k y EXAT 1", "OK"},
              {"EXISTS k", ":0"},
              {"GETSET k a", "nil"},
              {"GETSET k b", "'a'"},
              {"GETEX k EX 10", "'b'"},
              {"PTTL k", ":10000"},
              {"GETEX k PERSIST EX 5", "!ERR syntax error"},
              {"GETEX none EX 0", "nil"},
              {"GETEX k PX 0", "!ERR invalid expire time in 'getex' command"},
              {"GETEX k PERSIST", "'b'"},
              {"TTL k", ":-1"},
              {"GETEX k EXAT 5", "'b'"},
              {"GET k", "nil"},
              {"SETNX k c", ":1"},
              {"SETNX k d", ":0"},
              {"GETDEL k", "'c'"},
              {"GETDEL k", "nil"},
              {"HSET h f 1", ":1"},
              {"GET h", kWrong},
              {"GETSET h x", kWrong},
              {"SET h x GET", kWrong},
              {"SET h x", "OK"},
              {"TYPE h", "string"}});
}

// Goal:   parts of strings are read and written as in Redis, and grow to the limit only.
// Method: a conversation around the edges of offsets.
TEST(Commands, Ranges) {
  FakeView view;
  Play(view,
       {{"APPEND k Hello", ":5"},
        {"APPEND k World", ":10"},
        {"STRLEN k", ":10"},
        {"GETRANGE k 0 -1", "'HelloWorld'"},
        {"GETRANGE k -3 -1", "'rld'"},
        {"GETRANGE k -1 -3", "''"},
        {"GETRANGE k 5 2", "''"},
        {"GETRANGE k -100 2", "'Hel'"},
        {"GETRANGE k 8 9223372036854775807", "'ld'"},
        {"GETRANGE k -9223372036854775808 9223372036854775807", "'HelloWorld'"},
        {"GETRANGE none 0 -1", "''"},
        {"GETRANGE k a 1", kNoInt},
        {"SETRANGE k 5 -", ":10"},
        {"GET k", "'Hello-orld'"},
        {"SETRANGE k 5 ", ":10"},
        {"SETRANGE none 5 ", ":0"},
        {"SETRANGE k -1 x", "!ERR offset is out of range"},
        {"SETRANGE k 67108863 x", ":67108864"},
        {"SETRANGE k 67108864 x", "!ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
        {"SETRANGE k 9223372036854775807 x",
         "!ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
        {"APPEND k x", "!ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
        {"HSET h f 1", ":1"},
        {"APPEND h x", kWrong},
        {"SETRANGE h 0 ", kWrong},
        {"STRLEN h", kWrong}});
  EXPECT_EQ(Execute(view, {"SETRANGE", "gap", "3", "x"}), ":4\r\n");
  EXPECT_EQ(Execute(view, {"GET", "gap"}), std::string("$4\r\n\0\0\0x\r\n", 10));
}

// Goal:   a write to an expired key that still lies in the store builds on nothing of it.
// Method: let a long value expire, then patch, count and set fields.
TEST(Commands, ExpiredKeysLeaveNothingBehind) {
  FakeView view;
  for (const char* key : {"a", "b", "c", "d", "e"}) {
    Execute(view, {"SET", key, "leftover-of-before", "PX", "5"});
  }
  Execute(view, Words("HSET h f 1 g 2"));
  Execute(view, Words("PEXPIRE h 5"));
  view.now += 5;
  Play(view, {{"SETRANGE a 2 x", ":3"},
              {"APPEND b x", ":1"},
              {"INCR c", ":1"},
              {"HSET d f v", ":1"},
              {"INCRBYFLOAT e 1.5", "'1.5'"},
              {"HSET h z 9", ":1"},
              {"HGETALL h", "['z' '9']"},
              {"GET b", "'x'"},
              {"TTL a", ":-1"},
              {"TTL h", ":-1"},
              {"HGETALL d", "['f' 'v']"}});
  EXPECT_EQ(Execute(view, {"GET", "a"}), std::string("$3\r\n\0\0x\r\n", 9));
}

// Goal:   counters count exactly, and refuse what is no number or would overflow.
// Method: a conversation at the edges of 64 bits.
TEST(Commands, Counters) {
  FakeView view;
  Play(view, {{"INCR n", ":1"},
              {"INCRBY n 9223372036854775806", ":9223372036854775807"},
              {"INCR n", "!ERR increment or decrement would overflow"},
              {"DECRBY n -1", "!ERR increment or decrement would overflow"},
              {"DECRBY n -9223372036854775808", "!ERR decrement would overflow"},
              {"GET n", "'9223372036854775807'"},
              {"INCRBY n 1.0", kNoInt},
              {"SET n -9223372036854775808", "OK"},
              {"DECR n", "!ERR increment or decrement would overflow"},
              {"SET n 012", "OK"},
              {"INCR n", kNoInt},
              {"SET f 10.50", "OK"},
              {"INCRBYFLOAT f 0.1", "'10.6'"},
              {"INCRBYFLOAT f -5e3", "'-4989.39999999999999991'"},
              {"INCRBYFLOAT f nan", "!ERR value is not a valid float"},
              {"INCRBYFLOAT f inf", "!ERR increment would produce NaN or Infinity"},
              {"SET f x", "OK"},
              {"INCRBYFLOAT f 1", "!ERR value is not a valid float"},
              {"HSET h f 1", ":1"},
              {"INCR h", kWrong},
              {"INCRBYFLOAT h 1", kWrong},
              {"SET t 5 EX 100", "OK"},
              {"INCR t", ":6"},
              {"TTL t", ":100"}});
}

// Goal:   times to live are set under their conditions, read in all units, and end keys.
// Method: a conversation with a clock that is moved by hand.
TEST(Commands, Expiry) {
  FakeView view;
  Play(view, {{"EXPIRE k 10", ":0"},
              {"SET k v", "OK"},
              {"EXPIRE k 10 XX", ":0"},
              {"EXPIRE k 10 GT", ":0"},
              {"EXPIRE k 10 LT", ":1"},
              {"EXPIRE k 20 NX", ":0"},
              {"EXPIRE k 20 LT", ":0"},
              {"EXPIRE k 20 GT", ":1"},
              {"EXPIRE k 20 XX", ":1"},
              {"TTL k", ":20"},
              {"PTTL k", ":20000"},
              {"EXPIRETIME k", ":1700000020"},
              {"PEXPIRETIME k", ":1700000020000"},
              {"EXPIRE k 5 NX GT",
               "!ERR NX and XX, GT or LT options at the same time are not compatible"},
              {"EXPIRE k 5 GT LT", "!ERR GT and LT options at the same time are not compatible"},
              {"EXPIRE k 5 ZZ", "!ERR Unsupported option ZZ"},
              {"EXPIRE k x ZZ", "!ERR Unsupported option ZZ"},
              {"EXPIRE k x", kNoInt},
              {"EXPIRE k 9223372036854775807", "!ERR invalid expire time in 'expire' command"},
              {"EXPIRE k -9223372036854775808", "!ERR invalid expire time in 'expire' command"},
              {"PEXPIRE k 9223372036854775807", "!ERR invalid expire time in 'pexpire' command"},
              {"PEXPIREAT k 9223372036854775807", ":1"},
              {"PEXPIRETIME k", ":9223372036854775807"},
              {"EXPIREAT k 1700000030", ":1"},
              {"PERSIST k", ":1"},
              {"PERSIST k", ":0"},
              {"PERSIST none", ":0"},
              {"TTL k", ":-1"},
              {"TTL none", ":-2"},
              {"EXPIRETIME none", ":-2"},
              {"PEXPIRE k 1500", ":1"},
              {"TTL k", ":2"}});
  view.now += 1001;
  EXPECT_EQ(Say(view, "TTL k"), ":0");
  view.now += 498;
  EXPECT_EQ(Say(view, "GET k"), "'v'");
  view.now += 1;
  Play(view, {{"GET k", "nil"},
              {"TYPE k", "none"},
              {"SET k v", "OK"},
              {"EXPIRE k 0", ":1"},
              {"EXISTS k", ":0"},
              {"HSET h f 1", ":1"},
              {"TYPE h", "hash"},
              {"PEXPIREAT h -5", ":1"},
              {"HLEN h", ":0"}});
}

// Goal:   hashes answer as in Redis, small and large alike.
// Method: a conversation; the fake's hashes grow large with their fourth field.
TEST(Commands, Hashes) {
  FakeView view;
  Play(view, {{"HSET h a 1 b 2 a 3", ":2"},
              {"HSET h a 1 b", "!ERR wrong number of arguments for 'hset' command"},
              {"HMSET h a", "!ERR wrong number of arguments for 'hmset' command"},
              {"HMSET h a 1 b", "!ERR wrong number of arguments for 'hmset' command"},
              {"HMSET h c 3 d 4", "OK"},
              {"HGET h a", "'3'"},
              {"HGET h z", "nil"},
              {"HGET none z", "nil"},
              {"HMGET h a z d", "['3' nil '4']"},
              {"HMGET none a b", "[nil nil]"},
              {"HLEN h", ":4"},
              {"HSTRLEN h a", ":1"},
              {"HSTRLEN h z", ":0"},
              {"HEXISTS h a", ":1"},
              {"HEXISTS h z", ":0"},
              {"HSETNX h a 9", ":0"},
              {"HSETNX h e 5", ":1"},
              {"HKEYS h", "['a' 'b' 'c' 'd' 'e']"},
              {"HVALS h", "['3' '2' '3' '4' '5']"},
              {"HGETALL none", "[]"},
              {"HDEL h a b a zz", ":2"},
              {"HDEL none a", ":0"},
              {"HGETALL h", "['c' '3' 'd' '4' 'e' '5']"},
              {"HDEL h c d e", ":3"},
              {"EXISTS h", ":0"},
              {"HINCRBY h n 5", ":5"},
              {"HINCRBY h n -9223372036854775808", ":-9223372036854775803"},
              {"HINCRBY h n -9223372036854775808", "!ERR increment or decrement would overflow"},
              {"HINCRBY h n x", kNoInt},
              {"HINCRBYFLOAT h f 1.5", "'1.5'"},
              {"HINCRBY h f 1", "!ERR hash value is not an integer"},
              {"HINCRBYFLOAT h f inf", "!ERR value is NaN or Infinity"},
              {"HINCRBYFLOAT h f nan", "!ERR value is not a valid float"},
              {"HSET h s x", ":1"},
              {"HINCRBYFLOAT h s 1", "!ERR hash value is not a float"},
              {"SET k v", "OK"},
              {"HSET k f 1", kWrong},
              {"HGET k f", kWrong},
              {"HGETALL k", kWrong},
              {"HDEL k f", kWrong},
              {"HINCRBY k f 1", kWrong},
              {"HRANDFIELD k", kWrong}});
  const std::string longest(60'001, 'f');
  EXPECT_EQ(Readable(Execute(view, {"HSET", "h", longest, "v"})),
            "!ERR field exceeds maximum allowed size (60000)");
  EXPECT_EQ(Readable(Execute(view, {"HSET", "h", longest.substr(1), "v"})), ":1");
}

// Goal:   HRANDFIELD draws fields of the hash: different ones for a positive count, as many as
//         asked for a negative one, each in turn; and is bounded.
// Method: many draws from a hash of five.
TEST(Commands, RandomFields) {
  FakeView view;
  Execute(view, Words("HSET h a 1 b 2 c 3 d 4 e 5"));
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const std::vector<std::string> drawn = Words(Say(view, "HRANDFIELD h 3"));
    ASSERT_EQ(drawn.size(), 3u);
    seen.insert(drawn.begin(), drawn.end());
    std::set<std::string> fields;
    for (const std::string& word : drawn) fields.insert(word.substr(word.find('\''), 3));
    ASSERT_EQ(fields.size(), 3u);
    seen.insert(Say(view, "HRANDFIELD h"));
  }
  EXPECT_EQ(seen.size(), 15u);  // five alone or in the middle, first, last
  EXPECT_EQ(Words(Say(view, "HRANDFIELD h 99")).size(), 5u);
  EXPECT_EQ(Words(Say(view, "HRANDFIELD h -99")).size(), 99u);
  EXPECT_EQ(Words(Say(view, "HRANDFIELD h 99 WITHVALUES")).size(), 10u);
  EXPECT_EQ(Say(view, "HRANDFIELD h 5 WITHVALUES", resp::Version::k3),
            "[['a' '1'] ['b' '2'] ['c' '3'] ['d' '4'] ['e' '5']]");
  Play(view, {{"HRANDFIELD h 0", "[]"},
              {"HRANDFIELD none", "nil"},
              {"HRANDFIELD none 5", "[]"},
              {"HRANDFIELD h x", kNoInt},
              {"HRANDFIELD h 1 FOO", "!ERR syntax error"},
              {"HRANDFIELD h 1 WITHVALUES x", "!ERR syntax error"},
              {"HRANDFIELD h -9223372036854775808",
               "!ERR value is out of range, value must between -9223372036854775807 and "
               "9223372036854775807"},
              {"HRANDFIELD h 9223372036854775807 WITHVALUES", "!ERR value is out of range"},
              {"HRANDFIELD h -9223372036854775807", "!ERR value is out of range"}});
  Execute(view, {"HSET", "big", "f", std::string(1 << 20, 'v')});
  EXPECT_EQ(Say(view, "HRANDFIELD big -100 WITHVALUES"), "!" + std::string(kReplyTooLong));
}

// Goal:   few bytes of a command do not ask for any amount of reply.
// Method: one long value named just as often as fits, and once more; hashes on both sides of the
//         bound, asked for as wholes in each way.
// Broken: MGET, HMGET or FindAll without its bound.
TEST(Commands, RepliesHaveABound) {
  FakeView view;
  const std::string value(1 << 20, 'v');
  const std::string refused = "-" + std::string(kReplyTooLong) + "\r\n";
  const size_t fits = kReplyBytesMax / (value.size() + 16);
  Execute(view, {"SET", "k", value});
  Execute(view, {"HSET", "h", "f", value});
  for (const size_t times : {fits, fits + 1, size_t{10'000}}) {
    std::vector<std::string> mget{"MGET"}, hmget{"HMGET", "h"};
    mget.resize(1 + times, "k");
    hmget.resize(2 + times, "f");
    for (const auto& command : {mget, hmget}) {
      const std::string reply = Execute(view, command);
      EXPECT_EQ(reply == refused, times > fits) << command[0] << " " << times;
      EXPECT_EQ(reply.starts_with("*" + std::to_string(times)), times <= fits);
    }
  }
  for (size_t i = 0; i < 48; ++i) {
    const bool whole = i < 47;
    Execute(view, {"HSET", "large", std::to_string(i), value});
    for (const char* command : {"HGETALL", "HKEYS", "HVALS", "HRANDFIELD"}) {
      std::vector<std::string> words{command, "large"};
      if (i < 46) continue;
      EXPECT_EQ(Execute(view, words) == "-" + std::string(kHashTooLong) + "\r\n", !whole)
          << command << " " << i;
    }
  }
}

// Goal:   commands on several keys count and set each as Redis does, keys named twice included.
// Method: a conversation, with few keys and with more than are compared one by one.
TEST(Commands, SeveralKeys) {
  FakeView view;
  Play(view, {{"MSET a 1 b 2 a 3", "OK"},
              {"MGET a b c", "['3' '2' nil]"},
              {"MSET a 1 b", "!ERR wrong number of arguments for 'mset' command"},
              {"MSETNX c 1 a 9", ":0"},
              {"MSETNX c 1 d 2 c 5", ":1"},
              {"MGET c d", "['5' '2']"},
              {"HSET h f 1", ":1"},
              {"MGET h a", "[nil '3']"},
              {"EXISTS a a h none", ":3"},
              {"TOUCH a a none", ":2"},
              {"DEL a a none", ":1"},
              {"UNLINK b h h", ":2"},
              {"MSET a 1 b 1 c 1 d 1 e 1 f 1 g 1 h 1 i 1 a 2 b 2", "OK"},
              {"MGET a b c", "['2' '2' '1']"},
              {"DEL a b c d e f g h i a b zz", ":9"},
              {"EXISTS a b c d e f g h i", ":0"}});
}

// Goal:   RESP3 has its own nulls and maps.
// Method: the replies that differ.
TEST(Commands, Resp3) {
  FakeView view;
  Execute(view, Words("HSET h a 1"));
  EXPECT_EQ(Execute(view, {"HGETALL", "h"}, resp::Version::k3), "%1\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_EQ(Execute(view, {"HGETALL", "none"}, resp::Version::k3), "%0\r\n");
  EXPECT_EQ(Execute(view, {"GET", "none"}, resp::Version::k3), "_\r\n");
  EXPECT_EQ(Execute(view, {"MGET", "none"}, resp::Version::k3), "*1\r\n_\r\n");
  EXPECT_EQ(Execute(view, {"INCRBYFLOAT", "f", "1.5"}, resp::Version::k3), "$3\r\n1.5\r\n");
}

// Goal:   an append-only keyspace takes new keys, new fields and increments, and refuses whatever
//         would delete or overwrite, without an effect.
// Method: each command on what exists and on what does not.
TEST(Commands, AppendOnly) {
  FakeView view;
  Execute(view, Words("SET k v"));
  Execute(view, Words("HSET h a 1"));
  view.rules.append_only = true;
  view.effects.clear();
  for (const char* line :
       {"SET k w", "SET h w", "SET k w GET", "SET k w XX", "SETEX k 5 w", "GETSET k w", "GETDEL k",
        "GETEX k EXAT 1", "DEL none k", "UNLINK k", "MSET z 1 k 2", "HSET h b 1 a 2", "HMSET h a 2",
        "HDEL h a b", "EXPIRE k 0", "PEXPIREAT h 1", "SETRANGE k 0 x", "SET k w EXAT 1"}) {
    EXPECT_EQ(Say(view, line), kRefused) << line;
    EXPECT_TRUE(view.effects.empty()) << line;
  }
  Play(view, {{"SET k w NX", "nil"},
              {"SET n 1", "OK"},
              {"INCR n", ":2"},
              {"INCRBYFLOAT n 0.5", "'2.5'"},
              {"APPEND k x", ":2"},
              {"SETRANGE k 2 y", ":3"},
              {"SETNX k z", ":0"},
              {"GETSET new 1", "nil"},
              {"MSET o 1 p 2", "OK"},
              {"MSETNX q 1 r 2", ":1"},
              {"HSET h b 2", ":1"},
              {"HSETNX h a 2", ":0"},
              {"HINCRBY h a 5", ":6"},
              {"HINCRBYFLOAT h a 0.5", "'6.5'"},
              {"DEL none", ":0"},
              {"HDEL h none", ":0"},
              {"EXPIRE k 100", ":1"},
              {"PERSIST k", ":1"},
              {"GETDEL none", "nil"}});
}

// Goal:   a keyspace's ttl is given to keys that are written without a time, and to no others.
// Method: every way to make a key, and ways to change one.
TEST(Commands, KeyspaceTtl) {
  FakeView view;
  view.rules.ttl_ms = 60'000;
  for (const char* line :
       {"SET k v", "SETNX k v", "GETSET k v", "APPEND k v", "SETRANGE k 3 v", "INCR k",
        "INCRBYFLOAT k 1", "HSET k f 1", "HSETNX k f 1", "HINCRBY k f 1", "HINCRBYFLOAT k f 1",
        "MSET k 1", "MSETNX k 1", "SET k v KEEPTTL"}) {
    Execute(view, Words("DEL k"));
    Execute(view, Words(line));
    EXPECT_EQ(Say(view, "PTTL k"), ":60000") << line;
  }
  Play(view, {{"SET k 1 EX 5", "OK"},
              {"INCR k", ":2"},
              {"TTL k", ":5"},
              {"SET k 1 KEEPTTL", "OK"},
              {"TTL k", ":5"},
              {"PERSIST k", ":1"},
              {"APPEND k 1", ":2"},
              {"TTL k", ":-1"},
              {"SET k 1 KEEPTTL", "OK"},
              {"TTL k", ":-1"},
              {"SET k 1", "OK"},
              {"TTL k", ":60"}});
}

}  // namespace
}  // namespace sluice::command
