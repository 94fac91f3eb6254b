// Whole sessions: any bytes on a connection are answered in RESP, the same however they arrive and
// whatever lies on disk only; and a crash behind the last reply leaves the same keys.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "base/prng.h"
#include "base/text.h"
#include "resp/decoder.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

constexpr size_t kStreamMax = 4096;

constexpr std::string_view kKeyspaces = R"toml(
[keyspace.likes]
key = "likes:{post_id}"
ack = "memory"
[keyspace.orders]
key = "order:{customer_id}:{order_id}"
shard = "range(customer_id)"
split_points = [["5"]]
[keyspace.notes]
key = "note:{id}"
append_only = true
)toml";

// Words whose effect is up to the clock or to what is drawn: turns, and so time, differ with the
// reads.
constexpr std::string_view kVolatile[] = {
    "acl",         "client",   "command",    "config",  "dbsize",     "ex",      "exat",
    "expire",      "expireat", "expiretime", "getex",   "hrandfield", "hscan",   "info",
    "lastsave",    "latency",  "memory",     "monitor", "object",     "pexpire", "pexpireat",
    "pexpiretime", "psetex",   "px",         "pxat",    "randomkey",  "scan",    "setex",
    "shards",      "shutdown", "slowlog",    "stats",   "time",       "why",
};

std::vector<resp::Value> Replies(std::string_view bytes) {
  std::vector<resp::Value> replies;
  resp::Decoder decoder;
  resp::Value reply;
  size_t consumed = 0;
  while (!bytes.empty() && decoder.Next(bytes, &consumed, &reply) == resp::Decoder::Got::kReply) {
    replies.push_back(reply);
    bytes.remove_prefix(consumed);
  }
  SLUICE_CHECK(bytes.empty());
  return replies;
}

bool IsVolatile(std::string_view stream) {
  resp::Parser parser(resp::kLimits);
  std::vector<std::string_view> args;
  size_t consumed = 0;
  while (parser.Next(stream, &consumed, &args) == resp::Parser::Got::kCommand) {
    for (const std::string_view arg : args) {
      for (const std::string_view word : kVolatile) {
        if (EqualFolded(arg, word)) return true;
      }
    }
    stream.remove_prefix(consumed);
  }
  return false;
}

// All keys and what they hold, by a client of its own.
std::map<std::string, std::string> Content(NodeFixture& node) {
  const uint64_t id = node.Connect();
  std::map<std::string, std::string> content;
  const std::vector<resp::Value> keys = Replies(node.Ask(id, Request({"KEYS", "*"})));
  for (const resp::Value& key : keys.at(0).items) {
    content[key.text] = node.Ask(id, Request({"GET", key.text}) + Request({"HGETALL", key.text}) +
                                         Request({"PTTL", key.text}));
  }
  return content;
}

// What a stream came to on a node of its own.
struct Outcome {
  std::string replies;
  std::map<std::string, std::string> content;

  bool operator==(const Outcome&) const = default;
};

// `next_read`: how many bytes arrive in the next turn. `look`: at all keys, before and behind a
// restart; that costs more than the stream.
template <class NextRead>
Outcome Run(std::string_view stream, const NodeOptions& options, bool look, NextRead next_read) {
  NodeFixture node(options);
  node.context().stop = [] {};
  const uint64_t id = node.Connect();
  Outcome outcome;
  while (!stream.empty()) {
    const size_t size = std::min<size_t>(next_read(), stream.size());
    node.Turn(0, id, stream.substr(0, size));
    stream.remove_prefix(size);
    if (size % 4 == 3) outcome.replies += node.Rest(id);
  }
  outcome.replies += node.Rest(id);
  Replies(outcome.replies);
  if (look) {
    outcome.content = Content(node);
    node.Restart();
    SLUICE_CHECK(Content(node) == outcome.content);
  }
  return outcome;
}

}  // namespace
}  // namespace sluice::server

SLUICE_FUZZ(server_session) {
  using namespace sluice;
  using namespace sluice::server;
  Reader reader(bytes);
  const uint8_t shape = reader.Le<uint8_t>();
  Prng prng(reader.Le<uint8_t>());
  const std::string_view stream = reader.rest().substr(0, kStreamMax);
  NodeOptions options{.lanes = size_t{1} + shape % 3, .config = std::string(kKeyspaces)};
  options.limits.cache_bytes = 64 << 10;
  const bool same = !IsVolatile(stream);
  const bool look = same && shape / 3 % 2 == 0;
  const Outcome whole = Run(stream, options, look, [] { return SIZE_MAX; });
  options.cold = shape >= 128;
  options.limits.buffer_bytes = 4 << 10;
  const Outcome split = Run(stream, options, look, [&] { return 1 + prng.Below(40); });
  SLUICE_CHECK(!same || split == whole);
}
