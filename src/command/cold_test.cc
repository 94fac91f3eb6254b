#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "command/fake_view.h"

namespace sluice::command {
namespace {

constexpr size_t kReadsMax = 6;  // of one command below: every subset of them is tried

void Fill(FakeView& view) {
  for (const char* line :
       {"SET s hello", "SET n 41", "SET t soon PX 5000", "HSET small a 1 b 2",
        "HSET large a 1 b 2 c 3 d 4 e x", "SET gone x PX 1", "HSET old a 1 b 2 c 3 d 4"}) {
    Execute(view, Words(line));
  }
  view.rows["old"].expire_at_ms = view.now + 1;
  view.now += 10;
  view.ForgetReads();
}

// Each command with every kind of key it may meet.
std::vector<std::string> Lines() {
  const char* const kOnKey[] = {"GET @",
                                "SET @ v",
                                "SET @ v NX",
                                "SET @ v XX GET KEEPTTL",
                                "SET @ v PXAT 1",
                                "SETNX @ v",
                                "SETEX @ 10 v",
                                "PSETEX @ 10 v",
                                "GETSET @ v",
                                "GETDEL @",
                                "GETEX @",
                                "GETEX @ EX 10",
                                "GETEX @ PERSIST",
                                "GETEX @ PXAT 1",
                                "APPEND @ xy",
                                "STRLEN @",
                                "GETRANGE @ 1 -2",
                                "SUBSTR @ 0 1",
                                "SETRANGE @ 7 xy",
                                "SETRANGE @ 0 xy",
                                "INCR @",
                                "DECR @",
                                "INCRBY @ 5",
                                "DECRBY @ 5",
                                "INCRBYFLOAT @ 1.5",
                                "TYPE @",
                                "TTL @",
                                "PTTL @",
                                "EXPIRETIME @",
                                "PEXPIRETIME @",
                                "EXPIRE @ 100",
                                "PEXPIRE @ 100 NX",
                                "EXPIREAT @ 1",
                                "PEXPIREAT @ 1 LT",
                                "PERSIST @",
                                "HSET @ a 9 z 8 a 7",
                                "HMSET @ z 1 y 2",
                                "HSETNX @ a 1",
                                "HSETNX @ z 1",
                                "HGET @ a",
                                "HMGET @ a z b e",
                                "HDEL @ a z b",
                                "HDEL @ a b c d e",
                                "HLEN @",
                                "HSTRLEN @ a",
                                "HEXISTS @ z",
                                "HINCRBY @ a 2",
                                "HINCRBY @ e 2",
                                "HINCRBY @ z 2",
                                "HINCRBYFLOAT @ a 0.5",
                                "HINCRBYFLOAT @ z 0.5",
                                "HGETALL @",
                                "HKEYS @",
                                "HVALS @",
                                "HRANDFIELD @",
                                "HRANDFIELD @ 2 WITHVALUES",
                                "HRANDFIELD @ -9"};
  std::vector<std::string> lines;
  for (const char* line : kOnKey) {
    for (const char* key : {"s", "n", "t", "small", "large", "gone", "old", "none"}) {
      std::string with_key = line;
      lines.push_back(with_key.replace(with_key.find('@'), 1, key));
    }
  }
  return lines;
}

// Goal:   a handler that meets cold rows says so before it emits or replies, and does in the end
//         what it would have done had all been warm.
// Method: every command on every kind of key, with every subset of its reads cold, in both
//         protocol versions and policies. Execute() checks that cold runs leave nothing behind.
TEST(Cold, ChangesNothingAboutACommand) {
  size_t tried = 0;
  for (const std::string& line : Lines()) {
    for (int variant = 0; variant < 4; ++variant) {
      const auto version = variant & 1 ? resp::Version::k3 : resp::Version::k2;
      FakeView start;
      Fill(start);
      start.effects.clear();
      start.rules.append_only = variant & 2;
      FakeView warm = start;
      const std::string reply = Execute(warm, Words(line), version);
      ASSERT_LE(warm.reads.size(), kReadsMax) << line;
      for (size_t subset = 1; subset < size_t{1} << warm.reads.size(); ++subset) {
        FakeView view = start;
        for (size_t i = 0; i < warm.reads.size(); ++i) {
          if (subset >> i & 1) view.cold.insert(i);
        }
        ASSERT_EQ(Execute(view, Words(line), version), reply) << line;
        ASSERT_EQ(view.effects, warm.effects) << line;
        ASSERT_EQ(view.rows, warm.rows) << line;
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 1000u);
}

// Goal:   commands that need not read do not, and a read of many fields asks for all at once.
// Method: count the reads, and the runs until the command is done.
TEST(Cold, NothingIsReadThatNeedNotBe) {
  const std::pair<const char*, size_t> cases[] = {
      {"SET s v", 0},    {"SET s v EX 5", 0}, {"SETEX s 5 v", 0},   {"SET s v PXAT 1", 0},
      {"SET s v NX", 1}, {"HGET none a", 1},  {"HSET none a 1", 1}, {"HSET large a 1 b 2 z 3", 4},
      {"INCR n", 1},     {"MSET a 1 b 2", 0}, {"HLEN large", 1},    {"HINCRBY large a 1", 2}};
  for (const auto& [line, reads] : cases) {
    FakeView view;
    Fill(view);
    Execute(view, Words(line));
    EXPECT_EQ(view.reads.size(), reads) << line;
  }
  FakeView view;
  Fill(view);
  std::string bytes;
  resp::Reply reply(bytes, resp::Version::k2);
  const std::vector<std::string_view> args = {"HMGET", "large", "a", "b", "z", "c"};
  Call call{args, view, reply};
  view.cold = {1, 2, 3, 4};
  EXPECT_EQ(FindCommand("hmget")->handler(call), Outcome::kCold);
  EXPECT_EQ(view.reads.size(), 5u);
  EXPECT_EQ(FindCommand("hmget")->handler(call), Outcome::kDone);
}

}  // namespace
}  // namespace sluice::command
