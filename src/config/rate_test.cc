#include "config/rate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"
#include "config/live.h"

namespace sluice::config {
namespace {

using testing::HasSubstr;

// Goal:   a rate is read as it was written, and a burst that is not said is one second of it.
// Method: numbers around each bound, each unit, with and without a burst.
TEST(Rate, ReadsWhatIsWritten) {
  constexpr std::pair<const char*, uint64_t> kUnits[] = {{"s", 1}, {"m", 60}, {"h", 3'600}};
  for (const auto& [unit, period_s] : kUnits) {
    for (const uint64_t writes : {1u, 2u, 59u, 60u, 61u, 3'599u, 3'600u, 50'000u, 10'000'000u}) {
      const std::string text = fmt::format("{}/{}", writes, unit);
      const uint64_t second = writes / period_s + (writes % period_s == 0 ? 0 : 1);
      EXPECT_EQ(ParseRate(text).value(), (Rate{writes, period_s, second})) << text;
      for (const uint64_t burst : {uint64_t{1}, second, writes}) {
        const std::string with = fmt::format("{} burst {}", text, burst);
        EXPECT_EQ(ParseRate(with).value(), (Rate{writes, period_s, burst})) << with;
      }
      const uint64_t most = writes * (86'400 / period_s);
      EXPECT_TRUE(ParseRate(fmt::format("{} burst {}", text, most)).has_value());
      EXPECT_FALSE(ParseRate(fmt::format("{} burst {}", text, most + 1)).has_value());
    }
  }
}

// Goal:   what is no rate is refused, and the message says what was wrong.
// Method: one mistake each, in a file, with its place; and the same by CONFIG SET.
TEST(Rate, NamesMistakes) {
  const std::string file = "[keyspace.likes]\nkey = \"likes:{post}\"\n";
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "is not a rate like \"50000/s\" or \"50000/s burst 100000\""},
      {"50000", "is not a rate like"},
      {"-1/s", "is not a rate like"},
      {"1.5/s", "is not a rate like"},
      {"0.5/s", "is not a rate like"},
      {"50000 /s", "is not a rate like"},
      {"99999999999999999999/s", "is not a rate like"},
      {"50000/s ", "is not a rate like"},
      {"50000/s burst", "is not a rate like"},
      {"50000/s burst x", "is not a rate like"},
      {"50000/s burst 5 ", "is not a rate like"},
      {"50000/", "a rate is per s, m or h, not per \"\""},
      {"50000/sec", "a rate is per s, m or h, not per \"sec\""},
      {"50000/d", "not per \"d\""},
      {"0/s", "would refuse every write; \"none\" is no limit"},
      {"10000001/s", "at most 10000000 writes"},
      {"50000/s burst 0", "a burst below one write would refuse every write"},
      {"1/h burst 25", "at this rate a burst is at most 24 writes, those of a day"},
  };
  const Config now = Load(file, "f.toml", {}).value();
  for (const auto& [text, why] : mistakes) {
    for (const char* const setting : {"limit", "client_limit"}) {
      const auto config = Load(fmt::format("{}{} = \"{}\"\n", file, setting, text), "f.toml", {});
      ASSERT_FALSE(config.has_value()) << text;
      const std::string place = fmt::format(
          "f.toml:3:{}: keyspace.likes.{}: ", std::string_view(setting).size() + 4, setting);
      EXPECT_THAT(config.error().message, HasSubstr(place));
      EXPECT_THAT(config.error().message, HasSubstr(why)) << text;
      const std::string name = fmt::format("keyspace.likes.{}", setting);
      const std::string quoted = fmt::format("\"{}\"", text);
      const NewValue value{name, quoted};
      const auto set = With(now, {&value, 1});
      ASSERT_FALSE(set.has_value()) << text;
      EXPECT_THAT(set.error().message, HasSubstr(why)) << text;
    }
  }
}

// Goal:   every other mistake about limits and priority is named with its place.
// Method: one mistake a file.
TEST(Rate, NamesMistakesAround) {
  const std::string file = "[keyspace.likes]\nkey = \"likes:{post}:{user}\"\n";
  const std::pair<const char*, const char*> mistakes[] = {
      {"priority = \"hihg\"", "f.toml:3:12: keyspace.likes.priority: there is no \"hihg\"; "},
      {"priority = \"background\"", "there is no \"background\""},
      {"priority = 1", "must be a string"},
      {"limit = 5", "must be a rate in a string, like \"50000/s\", or \"none\""},
      {"client_limit = 0", "is a user without the category write), and is of type integer"},
      {"limit_mode = \"dry\"", "there is no \"dry\"; "},
      {"limit_by = 7", "f.toml:3:12: keyspace.likes.limit_by must be a table of both, like"},
      {"limit_by = {}",
       "must be a table of both, like { segment = \"tenant\", rate = \"2000/s\" }"},
      {"limit_by = { segment = \"post\" }", "needs both"},
      {"limit_by = { rate = \"5/s\" }", "needs both"},
      {"limit_by = { segment = \"post\", rate = \"5/w\" }",
       "f.toml:3:39: keyspace.likes.limit_by.rate: \"5/w\": a rate is per s, m or h"},
      {"limit_by = { segment = \"posts\", rate = \"5/s\" }",
       "f.toml:3:24: keyspace.likes.limit_by.segment: key \"likes:{post}:{user}\" has no segment "
       "\"posts\"; did you mean \"post\"?"},
      {"limit_by = { segment = \"post\", rat = \"5/s\" }", "did you mean \"rate\"?"},
  };
  for (const auto& [line, why] : mistakes) {
    const auto config = Load(fmt::format("{}{}\n", file, line), "f.toml", {});
    ASSERT_FALSE(config.has_value()) << line;
    EXPECT_THAT(config.error().message, HasSubstr(why)) << line;
  }
  const auto fallback =
      Load("[keyspace.default]\nlimit_by = { segment = \"a\", rate = \"5/s\" }", "f.toml", {});
  ASSERT_FALSE(fallback.has_value());
  EXPECT_THAT(fallback.error().message, HasSubstr("keyspace default has no template"));
}

// Goal:   "none" takes a limit away, in a file and while running.
// Method: set each, then take it away again.
TEST(Rate, NoneIsNoLimit) {
  const auto with = Load(
      "[keyspace.likes]\nkey = \"likes:{post}\"\nlimit = \"5/s\"\nclient_limit = \"6/s\"\n"
      "limit_by = { segment = \"post\", rate = \"7/s\" }\n",
      "f.toml", {});
  ASSERT_TRUE(with.has_value()) << with.error().message;
  const NewValue none[] = {{"keyspace.likes.limit", "none"},
                           {"keyspace.likes.client_limit", "none"},
                           {"keyspace.likes.limit_by", "none"}};
  const auto without = With(*with, none);
  ASSERT_TRUE(without.has_value()) << without.error().message;
  const KeyspaceConfig &before = with->keyspaces[0], &after = without->keyspaces[0];
  EXPECT_EQ(before.rate.writes, 5u);
  EXPECT_EQ(before.limit_by.meaning.writes, 7u);
  EXPECT_EQ(after.rate, Rate{});
  EXPECT_EQ(after.client_rate, Rate{});
  EXPECT_EQ(after.limit_by, LimitByConfig{});
}

}  // namespace
}  // namespace sluice::config
