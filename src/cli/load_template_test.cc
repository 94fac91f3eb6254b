#include "cli/load_template.h"

namespace sluice::cli {
namespace {

using namespace std::string_literals;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Row RowOf(const std::vector<std::string>& cells) {
  Row row;
  for (const std::string& cell : cells) {
    row.cells.push_back({row.text.size(), cell.size()});
    row.text += cell;
  }
  return row;
}

std::string Filled(std::string_view text, const std::vector<std::string>& cells) {
  std::vector<std::string> columns;
  Result<CommandTemplate> command = CommandTemplate::Parse(text, &columns);
  if (!command.has_value()) return "refused: " + command.error().message;
  EXPECT_EQ(columns.size(), cells.size());
  std::string to;
  command->AppendWords(to, RowOf(cells));
  return to;
}

std::string Refused(std::string_view text) {
  std::vector<std::string> columns;
  const Result<CommandTemplate> command = CommandTemplate::Parse(text, &columns);
  return command.has_value() ? "taken" : command.error().message;
}

// Goal:   words are split as redis-cli splits them.
TEST(CommandTemplate, SplitsWords) {
  EXPECT_THAT(*SplitWords("  SET a\tb\n "), ElementsAre("SET", "a", "b"));
  EXPECT_THAT(*SplitWords(R"(SET "a b" 'c d')"), ElementsAre("SET", "a b", "c d"));
  EXPECT_THAT(*SplitWords(R"("\x41\n\t\"\\\q\x4" '\x41\'')"),
              ElementsAre("A\n\t\"\\qx4", "\\x41'"));
  EXPECT_THAT(*SplitWords(R"("" '' x"y z")"), ElementsAre("", "", "xy z"));
  EXPECT_THAT(*SplitWords(""), IsEmpty());
  EXPECT_THAT(SplitWords("SET \"a").error().message, HasSubstr("the quote at 5 is not closed"));
  EXPECT_THAT(SplitWords("SET 'a\\'").error().message, HasSubstr("not closed"));
  EXPECT_THAT(SplitWords("SET \"a\"b").error().message, HasSubstr("a blank must follow"));
}

// Goal:   values go in whole, whatever bytes they hold: they can never become more words.
TEST(CommandTemplate, FillsWords) {
  EXPECT_EQ(Filled("SET k:{a} {b}", {"1", "x y"}), "$3\r\nSET\r\n$3\r\nk:1\r\n$3\r\nx y\r\n");
  EXPECT_EQ(Filled("HSET {a}:{b}:{a} f 'v {b}'", {"1", "2"}),
            "$4\r\nHSET\r\n$5\r\n1:2:1\r\n$1\r\nf\r\n$3\r\nv 2\r\n");
  EXPECT_EQ(Filled("SET {{{a}}} }}{{", {"t"}), "$3\r\nSET\r\n$3\r\n{t}\r\n$2\r\n}{\r\n");
  EXPECT_EQ(Filled("SET '{a column}' \"\"", {"1"}), "$3\r\nSET\r\n$1\r\n1\r\n$0\r\n\r\n");
  const std::string hostile = "\"'\r\n*1\r\n$8\r\nFLUSHALL\r\n{a}\0\xff"s;
  EXPECT_EQ(
      Filled("SET k {a}", {hostile}),
      "$3\r\nSET\r\n$1\r\nk\r\n$" + std::to_string(hostile.size()) + "\r\n" + hostile + "\r\n");
  EXPECT_EQ(Filled("SET k {a}", {""}), "$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
}

TEST(CommandTemplate, RefusesWhatIsNoCommand) {
  EXPECT_THAT(Refused("  "), HasSubstr("empty"));
  EXPECT_THAT(Refused("SET {a b"), HasSubstr("single {"));
  EXPECT_THAT(Refused("SET a} b"), HasSubstr("single }"));
  EXPECT_THAT(Refused("{a} b"), HasSubstr("command's name"));
  EXPECT_THAT(Refused("sluice ONCE t SET a b"), HasSubstr("SLUICE"));
  EXPECT_EQ(Refused("SET a b"), "taken");
}

TEST(CommandTemplate, CollectsColumnsOfAllCommandsOnce) {
  std::vector<std::string> columns;
  ASSERT_TRUE(CommandTemplate::Parse("SET {b} {a}", &columns).has_value());
  ASSERT_TRUE(CommandTemplate::Parse("INCR {a}:{c}", &columns).has_value());
  EXPECT_THAT(columns, ElementsAre("b", "a", "c"));
}

// Goal:   two templates that make the same key agree on its hash; all keys of a command are found.
TEST(CommandTemplate, HashesKeys) {
  const auto hashes = [](std::string_view text, const std::vector<std::string>& cells) {
    std::vector<std::string> columns;
    const auto command = CommandTemplate::Parse(text, &columns);
    std::vector<uint64_t> found;
    std::string scratch;
    for (size_t i = 0; i < command->keys(); ++i) {
      found.push_back(command->KeyHash(i, RowOf(cells), &scratch));
    }
    return found;
  };
  EXPECT_EQ(hashes("SET {a}{b} v", {"x:", "1"}), hashes("INCR x:1", {}));
  EXPECT_EQ(hashes("SET {a}:{b} v", {"x", "1"}), hashes("HSET {a} f v", {"x:1"}));
  EXPECT_NE(hashes("SET {a} v", {"x"}), hashes("SET {a} v", {"y"}));
  EXPECT_EQ(hashes("MSET a 1 b 2", {}).size(), 2u);
  EXPECT_EQ(hashes("del a b c", {}).size(), 3u);
  EXPECT_EQ(hashes("SET a b", {}).size(), 1u);
  EXPECT_EQ(hashes("DBSIZE", {}).size(), 0u);
}

TEST(CommandTemplate, KnowsWhichCommandsCommute) {
  std::vector<std::string> columns;
  EXPECT_EQ(CommandTemplate::Parse("incr a", &columns)->order(),
            CommandTemplate::Order::kCommutative);
  EXPECT_EQ(CommandTemplate::Parse("SET a b", &columns)->order(), CommandTemplate::Order::kOrdered);
  // Sums of floats depend on their order.
  EXPECT_EQ(CommandTemplate::Parse("INCRBYFLOAT a 1", &columns)->order(),
            CommandTemplate::Order::kOrdered);
}

TEST(CommandTemplate, BoundsSizes) {
  std::vector<std::string> columns;
  const auto command = CommandTemplate::Parse("SET k{a} {a}{b}", &columns);
  EXPECT_TRUE(command->CheckSize(RowOf({"x", std::string(kWordBytesMax - 1, 'y')})).ok());
  EXPECT_FALSE(command->CheckSize(RowOf({"x", std::string(kWordBytesMax, 'y')})).ok());
}

}  // namespace
}  // namespace sluice::cli
