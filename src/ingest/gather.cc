#include "ingest/gather.h"

#include "base/glob.h"
#include "base/number.h"
#include "base/text.h"
#include "command/reply_bound.h"
#include "ingest/cursors.h"
#include "ingest/hash_scan.h"
#include "ingest/random_key.h"
#include "ingest/stats.h"
#include "ingest/walk.h"
#include "model/stored_key.h"

namespace sluice::ingest {
namespace {

constexpr size_t kScanPage = 1024;              // keys read at once for SCAN with a smaller COUNT
constexpr size_t kWalkPage = 4096;              // for KEYS and DBSIZE: a short turn of their lane
constexpr size_t kScanBytesMax = 8 << 20;       // of a reply of SCAN, whatever its COUNT
constexpr uint64_t kCountExactMax = 2'000'000;  // DBSIZE counts up to here, and estimates beyond

using Submit = Submitted (*)(Lane&, const shard::Command&, const Origin&, std::string&);

Submitted Pending() {
  return {false, {}, model::Ack::kDurable};
}
Submitted Refuse(std::string& reply, const shard::Command& command, std::string_view error) {
  resp::Reply(reply, command.version).Error(error);
  return {true, {}, model::Ack::kMemory};
}

// The client's key in a stored value key.
std::string_view ClientKey(const Lane& lane, std::string_view stored) {
  model::StoredKeyParts parts;
  const model::Keyspace& keyspace = lane.router().keyspace(model::KeyspaceOf(stored));
  return model::SplitStoredKey(keyspace, stored, &parts) ? parts.key : std::string_view();
}

std::string_view TypeName(model::RowType type) {
  return type == model::RowType::kString ? "string" : "hash";
}

std::vector<std::pair<size_t, ScanRequest>> AllShards(const Lane& lane, size_t limit) {
  std::vector<std::pair<size_t, ScanRequest>> stretches;
  const auto& shards = lane.router().map().shards();
  for (size_t i = 0; i < shards.size(); ++i) {
    stretches.emplace_back(i, StretchOf(shards[i], {}, {}));
    stretches.back().second.limit = limit;
  }
  return stretches;
}

void FinishError(Lane& home, const Origin& origin, resp::Version version, const Error& error) {
  std::string reply;
  resp::Reply(reply, version).Error(shard::ReadError(error));
  home.Finish(origin, reply, {});
}

// --- SCAN ---

struct ScanFlow {
  Origin origin;
  resp::Version version;
  uint64_t number = 0;  // of the cursor that was sent
  ScanCursor cursor;
  std::optional<std::string> pattern, type;
  uint64_t count = 10;
  std::vector<std::string> keys;
  size_t bytes = 0;  // of keys
  uint64_t looked = 0;
  bool over = false;
};

void ScanFinish(Lane& home, ScanFlow& flow, bool over) {
  const model::Lsn gate = flow.cursor.gate;
  const uint64_t number = over ? 0 : home.node().cursors.Put(std::move(flow.cursor), flow.number);
  std::string bytes;
  resp::Reply reply(bytes, flow.version);
  reply.Array(2);
  reply.Bulk(std::to_string(number));
  reply.Array(flow.keys.size());
  for (const std::string& key : flow.keys) reply.Bulk(key);
  home.Finish(flow.origin, bytes, {gate, false});
}

bool Enough(const ScanFlow& flow) {
  return flow.looked >= flow.count || flow.bytes >= kScanBytesMax;
}

// Shows what was read ahead, and moves the cursor behind it.
void ShowPage(const Lane& home, ScanFlow& flow) {
  ScanCursor& at = flow.cursor;
  while (!at.page.empty() && !Enough(flow)) {
    const ScanItem item = std::move(at.page.back());
    at.page.pop_back();
    ++flow.looked;
    const std::string_view key = ClientKey(home, item.stored);
    if (flow.type && *flow.type != TypeName(item.type)) continue;
    if (flow.pattern && !GlobMatch(*flow.pattern, key)) continue;
    flow.bytes += key.size();
    flow.keys.emplace_back(key);
  }
  if (!at.page.empty()) {
    at.from = at.page.back().stored;
  } else if (std::exchange(at.ahead, false)) {
    flow.over = !at.behind;
    at.from = std::exchange(at.behind, std::nullopt).value_or(std::string());
  }
}

// The shard whose keys a walk goes on with at `from`: a place between keys, not in a map, so that a
// cursor outlives the map that it began with.
size_t ShardAt(const model::ShardMap& map, std::string_view from) {
  const auto& shards = map.shards();
  const auto behind = std::partition_point(shards.begin(), shards.end(), [&](const auto& shard) {
    std::string begin;
    model::KindPrefix(begin, shard.keyspace, model::Kind::kValue, shard.begin);
    return begin <= from;
  });
  return behind == shards.begin() ? 0 : static_cast<size_t>(behind - shards.begin()) - 1;
}

void ScanOn(Lane& home, const std::shared_ptr<ScanFlow>& flow) {
  const auto& shards = home.router().map().shards();
  ShowPage(home, *flow);
  const ScanCursor& cursor = flow->cursor;
  if (flow->over || Enough(*flow)) return ScanFinish(home, *flow, flow->over);
  const size_t shard = ShardAt(home.router().map(), cursor.from);
  ScanRequest request = StretchOf(shards[shard], cursor.from, {});
  request.limit = std::max<size_t>(kScanPage, std::min<uint64_t>(flow->count, kWalkPage));
  std::optional<std::string> next;
  if (shard + 1 < shards.size()) next = StretchOf(shards[shard + 1], {}, {}).begin;
  ReadPage(home, shard, request, [flow, next](Lane& back, ScanPage page, model::Lsn gate) {
    if (page.error) return FinishError(back, flow->origin, flow->version, *page.error);
    ScanCursor& at = flow->cursor;
    at.gate = std::max(at.gate, gate);
    std::reverse(page.items.begin(), page.items.end());
    at.page = std::move(page.items);
    at.ahead = true;
    at.behind = page.complete ? next : std::move(page.next);
    ScanOn(back, flow);
  });
}

Submitted SubmitScan(Lane& lane, const shard::Command& command, const Origin& origin,
                     std::string& reply) {
  auto flow = std::make_shared<ScanFlow>();
  flow->origin = origin;
  flow->version = command.version;
  const std::string_view text = command.args[1];
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), flow->number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return Refuse(reply, command, "ERR invalid cursor");
  }
  for (size_t i = 2; i < command.args.size(); i += 2) {
    if (i + 1 == command.args.size()) return Refuse(reply, command, "ERR syntax error");
    const std::string_view value = command.args[i + 1];
    if (EqualFolded(command.args[i], "match")) {
      flow->pattern = value;
    } else if (EqualFolded(command.args[i], "type")) {
      flow->type = Lower(value);
    } else if (EqualFolded(command.args[i], "count")) {
      int64_t count = 0;
      if (!ParseInt(value, &count)) {
        return Refuse(reply, command, "ERR value is not an integer or out of range");
      }
      if (count < 1) return Refuse(reply, command, "ERR syntax error");
      flow->count = static_cast<uint64_t>(count);
    } else {
      return Refuse(reply, command, "ERR syntax error");
    }
  }
  if (flow->number != 0) {
    auto cursor = lane.node().cursors.Use(flow->number);
    if (!cursor || cursor->hash != 0) {
      return Refuse(reply, command,
                    "ERR this cursor is not known (any more); begin again with SCAN 0");
    }
    flow->cursor = std::move(*cursor);
  }
  ScanOn(lane, flow);
  return Pending();
}

// --- KEYS, DBSIZE ---

Submitted SubmitKeys(Lane& lane, const shard::Command& command, const Origin& origin,
                     std::string&) {
  struct Found {
    std::vector<std::string> keys;
    size_t bytes = 0;
  };
  auto found = std::make_shared<Found>();
  const std::string pattern(command.args[1]);
  const resp::Version version = command.version;
  Lane* home = &lane;  // `take` and `end` run on this lane
  WalkShards(
      lane, AllShards(lane, kWalkPage),
      [found, pattern, home](std::vector<ScanItem>&& items, size_t) {
        for (const ScanItem& item : items) {
          const std::string_view key = ClientKey(*home, item.stored);
          if (!GlobMatch(pattern, key)) continue;
          found->bytes += key.size() + 16;
          found->keys.emplace_back(key);
        }
        return found->bytes <= command::kReplyBytesMax;
      },
      [found, origin, version](Lane& back, WalkEnd end) {
        if (end.error) return FinishError(back, origin, version, *end.error);
        std::string bytes;
        resp::Reply reply(bytes, version);
        if (found->bytes > command::kReplyBytesMax) {
          reply.Error("ERR the reply would be longer than 48 MiB; use SCAN");
        } else {
          reply.Array(found->keys.size());
          for (const std::string& key : found->keys) reply.Bulk(key);
        }
        back.Finish(origin, bytes, {end.gate, false});
      });
  return Pending();
}

Submitted SubmitDbSize(Lane& lane, const shard::Command& command, const Origin& origin,
                       std::string&) {
  const resp::Version version = command.version;
  GatherStats(lane, [origin, version](Lane& home, const NodeStats& stats) {
    const uint64_t estimate = stats.keys();
    if (estimate > kCountExactMax) {
      std::string bytes;
      resp::Reply(bytes, version).Int(static_cast<int64_t>(estimate));
      return home.Finish(origin, bytes, {});
    }
    auto count = std::make_shared<uint64_t>(0);
    WalkShards(
        home, AllShards(home, kWalkPage),
        [count](std::vector<ScanItem>&& items, size_t) {
          *count += items.size();
          return true;
        },
        [count, origin, version](Lane& back, WalkEnd end) {
          if (end.error) return FinishError(back, origin, version, *end.error);
          std::string bytes;
          resp::Reply(bytes, version).Int(static_cast<int64_t>(*count));
          back.Finish(origin, bytes, {end.gate, false});
        });
  });
  return Pending();
}

// --- FLUSHALL ---

// One record for all shards of the lane.
void ClearLane(Lane& lane) {
  std::vector<shard::Change> changes;
  const auto& shards = lane.router().map().shards();
  for (size_t i = 0; i < shards.size(); ++i) {
    if (!lane.Owns(i)) continue;
    shard::Change& change = changes.emplace_back();
    change.shard = i;
    change.effect.kind = model::EffectKind::kClearShard;
    change.effect.keyspace = shards[i].keyspace;
  }
  if (changes.empty()) return;
  lane.shards().Write(changes, [](size_t) { return true; });
  lane.NoteClear();
}

Submitted SubmitFlush(Lane& lane, const shard::Command& command, const Origin& origin,
                      std::string& reply) {
  const size_t n = command.args.size();
  if (n > 2 ||
      (n == 2 && !EqualFolded(command.args[1], "sync") && !EqualFolded(command.args[1], "async"))) {
    return Refuse(reply, command, "ERR syntax error");
  }
  for (const model::Keyspace& keyspace : lane.router().keyspaces()) {
    const model::Policy policy = lane.router().policy(keyspace.id);
    if (!policy.append_only && !policy.projected) continue;
    return Refuse(reply, command,
                  "ERR keyspace " + keyspace.name +
                      (policy.append_only
                           ? " is append-only: its keys cannot be deleted; nothing was applied"
                           : " has a projection, whose rows would all be deleted with its keys; "
                             "nothing was applied"));
  }
  if (const admit::Refusal* const refusal = lane.shards().WhyNot(command.spec->flags)) {
    return Refuse(reply, command, refusal->TextFor(command.ClassIn({})));
  }
  struct Flow {
    size_t left;
    model::Lsn gate;
  };
  auto flow = std::make_shared<Flow>(Flow{lane.node().lanes.size(), {}});
  for (Lane* each : lane.node().lanes) {
    lane.Call(each->id(), [flow, origin](Lane& there) {
      ClearLane(there);
      there.AfterTurn([flow, origin](Lane& after, model::Lsn lsn) {
        after.Call(origin.lane, [flow, origin, lsn](Lane& home) {
          flow->gate = std::max(flow->gate, lsn);
          if (--flow->left == 0) home.Finish(origin, "+OK\r\n", {flow->gate, false});
        });
      });
    });
  }
  return Pending();
}

}  // namespace

Submitted SubmitGather(Lane& lane, const shard::Command& command, const Origin& origin,
                       std::string& reply) {
  static constexpr std::pair<std::string_view, Submit> kSubmits[] = {
      {"scan", SubmitScan},           {"keys", SubmitKeys},      {"dbsize", SubmitDbSize},
      {"randomkey", SubmitRandomKey}, {"flushall", SubmitFlush}, {"flushdb", SubmitFlush},
      {"hscan", SubmitHScan},
  };
  for (const auto& [name, submit] : kSubmits) {
    if (name == command.spec->name) return submit(lane, command, origin, reply);
  }
  return Refuse(reply, command, "ERR this command has no road here");
}

}  // namespace sluice::ingest
