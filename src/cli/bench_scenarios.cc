#include "cli/bench_scenarios.h"

#include <algorithm>
#include <array>

namespace sluice::cli {
namespace {

using Commands = std::array<std::string_view, 1>;
using TwoCommands = std::array<std::string_view, 2>;

// Plain ones, for comparisons: the keys are those of redis-benchmark.
constexpr Commands kSet = {"SET key:{key} {value}"};
constexpr Commands kGet = {"GET key:{key}"};
constexpr Commands kIncr = {"INCR counter:{key}"};
constexpr TwoCommands kCache = {"80:GET key:{key}", "20:SET key:{key} {value}"};
constexpr BenchStreamSpec kSetStreams[] = {{.name = "all", .commands = kSet}};
constexpr BenchStreamSpec kGetStreams[] = {{.name = "all", .commands = kGet}};
constexpr BenchStreamSpec kIncrStreams[] = {{.name = "all", .commands = kIncr}};
constexpr BenchStreamSpec kCacheStreams[] = {{.name = "all", .commands = kCache}};

constexpr Commands kLikes = {"INCR likes:{key}"};
constexpr BenchStreamSpec kLikesStreams[] = {
    {.name = "likes",
     .commands = kLikes,
     .keys = {.exponent = 0.99, .celebrities = 10, .celebrity_percent = 50}}};
constexpr std::string_view kLikesConfig = R"toml([keyspace.likes]
key = "likes:{post_id}"
shard = "hash(post_id)"
shards = 8
)toml";

// Eleven sellers with a shard each: items 0 to 99,999 are the first one's, and so on.
constexpr Commands kSale = {"INCR sale:{key}"};
constexpr BenchStreamSpec kSaleStreams[] = {
    {.name = "hot item", .weight = 25, .commands = kSale, .keys = {.first = 0, .count = 1}},
    {.name = "ten sellers",
     .weight = 95,
     .commands = kSale,
     .keys = {.first = 100'000, .count = 1'000'000}}};
constexpr std::string_view kSaleConfig = R"toml([keyspace.sale]
key = "sale:{item_id}"
shard = "range(item_id)"
shards = 11
split_points = ["100000", "200000", "300000", "400000", "500000", "600000", "700000", "800000",
                "900000", "1000000"]
)toml";

constexpr TwoCommands kChat = {"3:SET chat:{key}:{n} {value}", "INCR unread:{key}"};
constexpr BenchStreamSpec kChatStreams[] = {
    {.name = "chat", .commands = kChat, .keys = {.exponent = 0.99}}};
constexpr std::string_view kChatConfig = R"toml([keyspace.chat]
key = "chat:{channel_id}:{message_id}"
shard = "hash(channel_id)"
shards = 4

[keyspace.unread]
key = "unread:{channel_id}"
shard = "hash(channel_id)"
shards = 4
)toml";

constexpr TwoCommands kIot = {"SET device:{key}:{n} {value}",
                              "HSET latest:{key} at {n} is {value}"};
constexpr BenchStreamSpec kIotStreams[] = {{.name = "devices", .commands = kIot}};
constexpr std::string_view kIotConfig = R"toml([keyspace.devices]
key = "device:{device_id}:{at}"
shard = "range(device_id, at)"
split_points = ["25000", "50000", "75000"]
shards = 4
ttl = "30d"

[keyspace.latest]
key = "latest:{device_id}"
shard = "hash(device_id)"
shards = 4
)toml";

// Orders must get through, sessions should, likes may wait. What is critical is little, as it has
// to be: at three times what a node carries it is a tenth of that, and the rest is what may wait.
// So that its clients wait for the node and not for each other, they have connections to spare.
constexpr Commands kOrders = {"INCR order:{key}"};
constexpr TwoCommands kSessions = {"4:SET session:{key} {value}", "GET session:{key}"};
constexpr Commands kLike = {"INCR like:{key}"};
constexpr BenchStreamSpec kMixedStreams[] = {
    {.name = "critical", .priority = "critical", .weight = 1, .lines = 4, .commands = kOrders},
    {.name = "normal", .priority = "normal", .weight = 20, .commands = kSessions},
    {.name = "low", .priority = "low", .weight = 9, .commands = kLike, .keys = {.exponent = 0.99}}};
constexpr std::string_view kMixedConfig = R"toml([keyspace.order]
key = "order:{order_id}"
priority = "critical"

[keyspace.session]
key = "session:{user_id}"

[keyspace.like]
key = "like:{post_id}"
priority = "low"
)toml";

constexpr BenchScenario kScenarios[] = {
    {"set", "values over random keys", kSetStreams, 10'000, 1'000'000, 100},
    {"get", "reads of random keys", kGetStreams, 10'000, 1'000'000, 100},
    {"incr", "counters, random ones", kIncrStreams, 10'000, 1'000'000, 100},
    {"cache", "80 % reads, 20 % writes", kCacheStreams, 10'000, 1'000'000, 100},
    {"likes", "counters by Zipf's law, and ten celebrities that get half", kLikesStreams, 10'000,
     100'000, 100, false, kLikesConfig},
    {"flash-sale", "one key at 25,000/s beside ten shards at 9,500/s", kSaleStreams, 120'000,
     1'000'000, 100, false, kSaleConfig},
    {"chat", "messages and unread counters, few channels busy", kChatStreams, 10'000, 10'000, 200,
     false, kChatConfig},
    {"iot", "readings of devices, kept and as the latest", kIotStreams, 10'000, 100'000, 32, false,
     kIotConfig},
    {"burst",
     "values; 10 times the rate for 5 s of every 30 s",
     kSetStreams,
     10'000,
     1'000'000,
     100,
     true,
     {},
     60},
    {"mixed", "critical, normal and low on connections of their own", kMixedStreams, 10'000,
     100'000, 100, false, kMixedConfig},
};

}  // namespace

std::span<const BenchScenario> BenchScenarios() {
  return kScenarios;
}

const BenchScenario* FindBenchScenario(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kScenarios), std::end(kScenarios),
                   [&](const BenchScenario& each) { return each.name == name; });
  return found == std::end(kScenarios) ? nullptr : found;
}

}  // namespace sluice::cli
