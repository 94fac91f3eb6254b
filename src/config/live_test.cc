#include "config/live.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "config/print.h"

namespace sluice::config {
namespace {

using testing::HasSubstr;

constexpr std::string_view kFile =
    "[server]\nlisten = \"0.0.0.0:7379\"\n"
    "[keyspace.likes]\nkey = \"likes:{post}\"\nttl = \"30d\"\nshards = 4\n"
    "[keyspace.profiles]\nkey = \"profile:{country}:{user}\"\n"
    "shard = \"geo(country) then hash(user)\"\nregions = { IN = { shards = 2 } }\n"
    "[user.app]\npassword_sha256 = "
    "\"0000000000000000000000000000000000000000000000000000000000000001\"\n";

Config Good(std::string_view text) {
  auto config = Load(text, "test.toml", {});
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return *std::move(config);
}

std::map<std::string, std::string> ValuesOf(const Config& config) {
  std::map<std::string, std::string> values;
  for (const Item& item : Items(config)) values[item.name] = item.value;
  return values;
}

// Goal:   exactly the settings that the table calls live can be changed, one by one, and a change
//         shows in that setting alone.
// Method: every item of a configuration, with a value of its kind that differs.
TEST(Live, ExactlyLiveSettingsChange) {
  const std::map<std::string, std::string> others = {{"once_window", "3m"},
                                                     {"group_bytes", "8KiB"},
                                                     {"group_delay", "3ms"},
                                                     {"ack", "memory"},
                                                     {"ttl", "7m"},
                                                     {"append_only", "true"},
                                                     {"hot_key", "off"},
                                                     {"priority", "low"},
                                                     {"limit", "7/m burst 3"},
                                                     {"client_limit", "9/s"},
                                                     {"limit_mode", "observe"}};
  const Config now = Good(kFile);
  size_t changed = 0;
  for (const Item& item : Items(now)) {
    const auto other = others.find(item.name.substr(item.name.rfind('.') + 1));
    std::string wanted = other == others.end() ? item.value : other->second;
    if (item.name.ends_with("likes.limit_by")) wanted = "{ segment = \"post\", rate = \"5/s\" }";
    const NewValue value{item.name, wanted};
    const auto next = With(now, {&value, 1});
    if (item.change != Change::kLive) {
      ASSERT_FALSE(next.has_value()) << item.name;
      EXPECT_EQ(next.error().code, Code::kConflict) << item.name;
      continue;
    }
    ASSERT_TRUE(next.has_value()) << item.name << ": " << next.error().message;
    ++changed;
    auto expected = ValuesOf(now);
    expected[item.name] = value.value;
    EXPECT_EQ(ValuesOf(*next), expected) << item.name;
  }
  EXPECT_EQ(changed, 8 + 3 * 11u) << "eight of server, log and rebalance, eleven of each keyspace";
}

// Goal:   a value that is none, a combination that is none and a name that is none are refused.
TEST(Live, RefusesWhatIsNoConfiguration) {
  const Config now = Good(kFile);
  const auto refusal = [&](std::vector<NewValue> values) {
    const auto next = With(now, values);
    return next.has_value() ? Error{} : next.error();
  };
  EXPECT_EQ(refusal({{"keyspace.likes.ttl", "soon"}}).code, Code::kInvalid);
  EXPECT_THAT(refusal({{"keyspace.likes.ttl", "soon"}}).message, HasSubstr("soon"));
  EXPECT_EQ(refusal({{"keyspace.likes.ttl", "0ms"}}).code, Code::kInvalid);
  EXPECT_EQ(refusal({{"keyspace.likes.ack", "durable\"\nshards = \"9"}}).code, Code::kInvalid);
  EXPECT_EQ(refusal({{"log.group_bytes", "1GiB"}}).code, Code::kInvalid);
  EXPECT_EQ(refusal({{"keyspace.nosuch.ttl", "1h"}}).code, Code::kNotFound);
  EXPECT_EQ(refusal({{"log.group_delay", "1ms"}, {"nosuch", "1"}}).message, "nosuch");
  EXPECT_EQ(refusal({{"server.memory", "2GiB"}}).message, "server.memory");
}

// Goal:   a time to live can be taken away again.
TEST(Live, ForgetsATimeToLive) {
  const NewValue none{"keyspace.likes.ttl", "none"};
  const auto next = With(Good(kFile), {&none, 1});
  ASSERT_TRUE(next.has_value()) << next.error().message;
  EXPECT_EQ(next->keyspaces[0].ttl_ms, 0u);
  EXPECT_EQ(Good(ToToml(*next)).keyspaces[0].ttl_ms, 0u);
}

// Goal:   a file that was changed brings its live settings and users, and nothing else.
TEST(Live, AdoptsWhatMayChange) {
  const Config now = Good(kFile);
  const Config wanted = Good(
      "[server]\nlisten = \"127.0.0.1:9\"\nmemory = \"2GiB\"\nonce_window = \"1h\"\n"
      "[keyspace.likes]\nkey = \"likes:{post}\"\nshards = 5\nack = \"memory\"\n"
      "[keyspace.new]\nkey = \"new:{a}\"\n"
      "[user.other]\npassword_sha256 = "
      "\"0000000000000000000000000000000000000000000000000000000000000002\"\n");
  const auto next = Adopt(now, wanted);
  ASSERT_TRUE(next.has_value()) << next.error().message;
  auto expected = ValuesOf(now);
  expected["server.once_window"] = "1h";
  expected["keyspace.likes.ack"] = "memory";
  expected["keyspace.likes.ttl"] = "none";
  EXPECT_EQ(ValuesOf(*next), expected);
  ASSERT_EQ(next->users.size(), 1u);
  EXPECT_EQ(next->users[0].name, "other");
}

// Goal:   what holds after a change is looked at as a whole: a node that other machines reach keeps
//         a user, whatever the file says of the address for the next start.
TEST(Live, KeepsAUserWhereOthersReachTheNode) {
  const auto next = Adopt(Good(kFile), Good(""));
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code, Code::kInvalid);
  EXPECT_THAT(next.error().message, HasSubstr("user"));
}

}  // namespace
}  // namespace sluice::config
