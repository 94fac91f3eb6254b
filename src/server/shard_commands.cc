// SLUICE ROUTE, SHARDS and HOTKEYS: where keys live, and how hot it is there.
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "base/number.h"
#include "base/text.h"
#include "ingest/hot_keys.h"
#include "ingest/stats.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr size_t kHotKeysShown = 16;  // unless COUNT says otherwise

// False: there is none of that name, and that was replied.
bool FindKeyspace(Call& call, std::string_view name, const model::Keyspace** keyspace) {
  *keyspace = call.lane.router().FindKeyspace(name);
  if (*keyspace == nullptr) Refuse(call, fmt::format("ERR there is no keyspace '{}'", name));
  return *keyspace != nullptr;
}

void Rounded(resp::Reply& reply, std::string_view name, double value) {
  reply.Bulk(name);
  reply.Int(std::llround(value));
}

// What is not known is null, never 0.
void Known(resp::Reply& reply, std::string_view name, const std::optional<uint64_t>& value) {
  reply.Bulk(name);
  value ? reply.Int(static_cast<int64_t>(*value)) : reply.Null();
}

constexpr size_t kHeatFields = 24;

void DescribeHeat(resp::Reply& reply, const heat::ShardHeat& heat) {
  using Window = heat::ShardHeat::Window;
  const std::pair<std::string_view, const Window&> windows[] = {
      {"", heat.second}, {"_1m", heat.minute}, {"_10m", heat.ten_minutes}};
  const auto each = [&](std::string_view name, auto describe) {
    for (const auto& [suffix, window] : windows)
      describe(fmt::format("{}{}", name, suffix), window);
  };
  const auto load = [&](std::string_view name, double heat::Load::*member, double unit = 1) {
    each(name, [&](const std::string& full, const Window& window) {
      Rounded(reply, full, window.load.*member / unit);
    });
  };
  load("writes_per_second", &heat::Load::writes);
  load("reads_per_second", &heat::Load::reads);
  load("bytes_per_second", &heat::Load::bytes);
  load("cpu_percent", &heat::Load::cpu_us, 1e4);
  load("queue_commands", &heat::Load::queued);
  load("queue_bytes", &heat::Load::queue_bytes);
  each("p50_us", [&](const std::string& full, const Window& w) { Known(reply, full, w.p50_us); });
  each("p99_us", [&](const std::string& full, const Window& w) { Known(reply, full, w.p99_us); });
}

}  // namespace

Answer RouteOf(Call& call) {
  const std::string_view key = call.args[2];
  const route::Router& router = call.lane.router();
  std::string token;
  const auto placed = router.Place(key, &token);
  if (!placed.has_value()) return Refuse(call, placed.error().message);
  const model::Shard& shard = router.map().shards()[placed->shard];
  const std::vector<route::Segment> segments = router.SegmentsOf(key);
  resp::Reply& reply = call.reply;
  reply.Map(8);
  reply.Bulk("keyspace");
  reply.Bulk(placed->keyspace->name);
  reply.Bulk("segments");
  reply.Map(segments.size());
  for (const route::Segment& segment : segments) {
    reply.Bulk(segment.name);
    reply.Bulk(segment.value);
  }
  reply.Bulk("token");
  reply.Bulk(Hex(token));
  reply.Bulk("shard");
  reply.Int(shard.id.value);
  reply.Bulk("region");
  reply.Bulk(shard.region);
  reply.Bulk("owner");
  reply.Bulk(shard.owner);
  reply.Bulk("lane");
  reply.Int(call.lane.OwnerOf(placed->shard).value);
  reply.Bulk("epoch");
  reply.Int(shard.epoch.value);
  return {};
}

namespace {

void DescribeShard(resp::Reply& reply, const route::Router& router, const ingest::ShardStat& stat) {
  const model::Shard& shard = router.map().shards()[stat.shard];
  reply.Map(11 + kHeatFields);
  reply.Bulk("shard");
  reply.Int(shard.id.value);
  reply.Bulk("keyspace");
  reply.Bulk(router.keyspace(shard.keyspace).name);
  reply.Bulk("range");
  reply.Array(2);
  reply.Bulk(Hex(shard.begin));
  reply.Bulk(Hex(shard.end));
  reply.Bulk("region");
  reply.Bulk(shard.region);
  reply.Bulk("owner");
  reply.Bulk(shard.owner);
  reply.Bulk("lane");
  reply.Int(stat.lane.value);
  reply.Bulk("epoch");
  reply.Int(shard.epoch.value);
  reply.Bulk("records");
  reply.Int(static_cast<int64_t>(stat.seq));
  reply.Bulk("keys");
  reply.Int(static_cast<int64_t>(stat.keys));
  reply.Bulk("size");
  reply.Int(static_cast<int64_t>(stat.bytes));
  reply.Bulk("state");
  reply.Bulk("serving");
  DescribeHeat(reply, stat.heat);
}

}  // namespace

Answer ListShards(Call& call) {
  if (call.args.size() > 3) {
    return Refuse(call, "ERR wrong number of arguments for 'sluice|shards' command");
  }
  const model::Keyspace* keyspace = nullptr;
  if (call.args.size() == 3 && !FindKeyspace(call, call.args[2], &keyspace)) return {};
  ingest::GatherStats(call.lane, [origin = call.session.origin(), version = call.client.version,
                                  keyspace](ingest::Lane& home, ingest::NodeStats stats) {
    const route::Router& router = home.router();
    std::erase_if(stats.shards, [&](const ingest::ShardStat& stat) {
      return keyspace != nullptr && router.map().shards()[stat.shard].keyspace != keyspace->id;
    });
    std::string bytes;
    resp::Reply reply(bytes, version);
    reply.Array(stats.shards.size());
    for (const ingest::ShardStat& stat : stats.shards) DescribeShard(reply, router, stat);
    home.Finish(origin, bytes, {});
  });
  return {.now = false};
}

namespace {

void DescribeHotKey(resp::Reply& reply, const route::Router& router, const heat::HotKey& hot) {
  reply.Map(7);
  reply.Bulk("key");
  reply.Bulk(hot.key);
  reply.Bulk("keyspace");
  reply.Bulk(router.keyspace(hot.keyspace).name);
  reply.Bulk("shard");
  reply.Int(router.map().shards()[hot.shard].id.value);
  Rounded(reply, "writes_per_second", hot.per_second);
  Rounded(reply, "error", hot.error);
  Rounded(reply, "percent_of_shard", 100 * hot.share);
  reply.Bulk("action");
  reply.Bulk(router.policy(hot.keyspace).folds ? "fold" : "none");
}

}  // namespace

// HOTKEYS [COUNT n] [keyspace].
Answer ListHotKeys(Call& call) {
  // It shows keys that it was not given by name.
  if (!call.client.user->all_keys) {
    call.session.Deny(call.reply, auth::kNoPermKeys);
    return {};
  }
  size_t most = kHotKeysShown;
  const model::Keyspace* keyspace = nullptr;
  for (size_t i = 2; i < call.args.size(); ++i) {
    if (EqualFolded(call.args[i], "count") && i + 1 < call.args.size()) {
      int64_t count = 0;
      if (!ParseInt(call.args[++i], &count) || count < 1) {
        return Refuse(call, "ERR COUNT must be 1 or more");
      }
      most = static_cast<size_t>(count);
    } else if (keyspace != nullptr) {
      return RefuseSyntax(call);
    } else if (!FindKeyspace(call, call.args[i], &keyspace)) {
      return {};
    }
  }
  ingest::GatherHotKeys(call.lane, keyspace, most,
                        [origin = call.session.origin(), version = call.client.version](
                            ingest::Lane& home, std::vector<heat::HotKey> hot) {
                          std::string bytes;
                          resp::Reply reply(bytes, version);
                          reply.Array(hot.size());
                          for (const heat::HotKey& key : hot) {
                            DescribeHotKey(reply, home.router(), key);
                          }
                          // It names keys of writes that a crash could still undo.
                          home.Finish(origin, bytes, {home.node().committer->appended(), true});
                        });
  return {.now = false, .terms = {.ack = model::Ack::kDurable}};
}

}  // namespace sluice::server
