#include "cli/bench_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sluice::cli {
namespace {

std::string Filled(const BenchCommand& command, uint64_t key, uint64_t n) {
  Prng prng(1);
  std::string request;
  command.Append(request, key, n, prng);
  return request;
}

// Goal:   a filled-in command is a whole request with every size right.
// Method: each hole, alone, in the middle of a word and repeated; quotes and doubled braces.
TEST(BenchCommand, FillsItsHoles) {
  const auto filled = [](std::string_view text) {
    return Filled(BenchCommand::Parse(text, 4).value(), 42, 7);
  };
  EXPECT_EQ(filled("PING"), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(filled("GET key:{key}"), "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n");
  EXPECT_EQ(filled("GET {key}:{n}:{key}"),
            "*2\r\n$3\r\nGET\r\n$38\r\n000000000042:000000000007:000000000042\r\n");
  EXPECT_EQ(filled("SET '{{a b}}' \"\""), "*3\r\n$3\r\nSET\r\n$5\r\n{a b}\r\n$0\r\n\r\n");
  EXPECT_THAT(filled("SET k {value}"),
              testing::MatchesRegex("\\*3\r\n\\$3\r\nSET\r\n\\$1\r\nk\r\n\\$4\r\n..xx\r\n"));
}

// Goal:   values differ each time, have their size, hold no line end, and half of them is one
//         letter.
// Method: a thousand values of several sizes.
TEST(BenchCommand, ValuesDiffer) {
  for (const size_t size : {16, 100, 1001}) {
    const BenchCommand command = BenchCommand::Parse("{value}", size).value();
    std::set<std::string> seen;
    Prng prng(1);
    for (int i = 0; i < 1000; ++i) {
      std::string request;
      command.Append(request, 0, i, prng);
      const std::string value = request.substr(request.find("\r\n", 4) + 2, size);
      EXPECT_EQ(value.find_first_of("\r\n"), std::string::npos);
      EXPECT_EQ(value.substr((size + 1) / 2), std::string(size / 2, 'x'));
      seen.insert(value);
    }
    EXPECT_EQ(seen.size(), 1000u) << size;
  }
}

// Goal:   a weight is taken off the front, and what is no command is refused with the reason.
// Method: a table.
TEST(BenchCommand, ParsesWeightsAndRefusesTheRest) {
  const BenchCommand weighted = BenchCommand::Parse("80:GET {key}", 1).value();
  EXPECT_EQ(weighted.weight(), 80u);
  EXPECT_EQ(weighted.text(), "GET {key}");
  EXPECT_EQ(BenchCommand::Parse("GET 80:1", 1).value().weight(), 1u);
  for (const auto& [text, reason] :
       std::vector<std::pair<std::string, std::string>>{{"", "empty"},
                                                        {"  ", "empty"},
                                                        {"0:GET a", "a weight is"},
                                                        {"1000001:GET a", "a weight is"},
                                                        {"3:", "empty"},
                                                        {"GET {k}", "none of"},
                                                        {"GET {key", "single {"},
                                                        {"GET key}", "single }"},
                                                        {"GET 'a", "not closed"}}) {
    const auto parsed = BenchCommand::Parse(text, 1);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
    EXPECT_THAT(parsed.error().message, testing::HasSubstr(reason));
  }
}

}  // namespace
}  // namespace sluice::cli
