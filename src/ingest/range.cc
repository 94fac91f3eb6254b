// SLUICE RANGE: keys of a keyspace between two values, in token order where the keyspace has one.
//
// A range (or geo, then range) keyspace walks just the shards that can hold such keys, in order,
// and stops at COUNT. A hash keyspace has no such order: all its shards are read, and of their
// keys, compared as bytes, the first ones kept. Either way a reply that grows too long ends early,
// and `next` goes on from there.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "base/text.h"
#include "command/reply_bound.h"
#include "ingest/gather.h"
#include "ingest/walk.h"
#include "model/stored_key.h"
#include "route/token.h"

namespace sluice::ingest {
namespace {

constexpr int64_t kCountUsual = 100;
constexpr int64_t kCountMost = 100'000;
constexpr size_t kWalkPage = 4096;

struct Range {
  Origin origin;
  resp::Version version = resp::Version::k2;
  const model::Keyspace* keyspace = nullptr;
  std::string from, to;              // as asked: "-" and "+" are open ends
  std::optional<std::string> after;  // continue behind this stored key
  size_t count = kCountUsual;
  bool reverse = false, values = false;
  bool ordered = false;  // the keyspace's tokens have the order of the values
  // The first `count` keys of those seen, as far as they fit into a reply. Ordered: in the walk's
  // order; else a heap with the last one on top.
  std::vector<ScanItem> items;
  size_t bytes = 0;             // that they take in a reply
  bool more = false;            // keys behind them were left out
  std::vector<size_t> touched;  // shards
};
using RangePtr = std::shared_ptr<Range>;

std::optional<std::string> FromHex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < text.size(); i += 2) {
    uint8_t byte = 0;
    const auto parsed = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + i + 2) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

std::string_view ClientKey(const model::Keyspace& keyspace, std::string_view stored) {
  model::StoredKeyParts parts;
  return model::SplitStoredKey(keyspace, stored, &parts) ? parts.key : std::string_view();
}

// The stored keys whose tokens lie between the two values, once per region if there are regions.
std::vector<std::pair<std::string, std::string>> Spans(const Range& range) {
  std::vector<std::string> heads{std::string()};
  if (!range.keyspace->regions.empty()) {
    heads.clear();
    for (const model::Region& region : range.keyspace->regions) {
      route::AppendRegion(heads.emplace_back(), region.number);
    }
    std::sort(heads.begin(), heads.end());
  }
  std::vector<std::pair<std::string, std::string>> spans;
  for (const std::string& head : heads) {
    std::string low, high, token = head;
    if (range.ordered && range.from != "-") route::AppendRangeCode(token, range.from);
    model::KindPrefix(low, range.keyspace->id, model::Kind::kValue, token);
    token = head;
    if (range.ordered && range.to != "+") route::AppendRangeCode(token, range.to);
    model::KindPrefix(high, range.keyspace->id, model::Kind::kValue, token);
    spans.emplace_back(low, model::PrefixEnd(high));
  }
  if (range.reverse) std::reverse(spans.begin(), spans.end());
  return spans;
}

std::vector<std::pair<size_t, ScanRequest>> Stretches(const Lane& lane, const Range& range) {
  const auto& map = lane.router().map();
  const auto [first, last] = map.OfKeyspace(range.keyspace->id);
  std::vector<std::pair<size_t, ScanRequest>> stretches;
  for (auto [low, high] : Spans(range)) {
    if (range.after && range.ordered && !range.reverse) low = std::max(low, *range.after + '\0');
    if (range.after && range.ordered && range.reverse) high = std::min(high, *range.after);
    for (size_t k = 0; k < last - first; ++k) {
      const size_t i = range.reverse ? last - 1 - k : first + k;
      ScanRequest request = StretchOf(map.shards()[i], low, high);
      if (request.begin >= request.end) continue;
      request.reverse = range.reverse;
      request.with_rows = range.values;
      request.limit = range.ordered ? std::min(range.count + 1, kWalkPage) : kWalkPage;
      stretches.emplace_back(i, std::move(request));
    }
  }
  return stretches;
}

void AppendValue(std::string_view bytes, resp::Reply& reply) {
  model::RowView row;
  if (!model::DecodeRow(bytes, &row) || row.type == model::RowType::kLargeHash) {
    reply.Null();
  } else if (row.type == model::RowType::kString) {
    reply.Bulk(row.body);
  } else {
    reply.Map(row.count);
    model::FieldWalk walk(row.body);
    while (walk.Next()) {
      reply.Bulk(walk.field);
      reply.Bulk(walk.value);
    }
  }
}

// At the most what the item takes in a reply.
size_t ReplyBytes(const Range& range, const ScanItem& item) {
  constexpr size_t kHead = 24;  // "$65536\r\n", "\r\n" and the like
  model::RowView row;
  const bool fields =
      range.values && model::DecodeRow(item.row, &row) && row.type == model::RowType::kSmallHash;
  return item.stored.size() + item.row.size() + kHead * (2 + (fields ? 2 * row.count : 0));
}

bool Before(const Range& range, std::string_view a, std::string_view b) {
  return range.reverse ? b < a : a < b;
}

// The next one in the walk's order. False once the reply is full.
bool Append(Range& range, ScanItem&& item) {
  const size_t bytes = ReplyBytes(range, item);
  range.more = range.items.size() == range.count ||
               (!range.items.empty() && range.bytes + bytes > command::kReplyBytesMax);
  if (range.more) return false;
  range.bytes += bytes;
  range.items.push_back(std::move(item));
  return true;
}

// One of the keys between, in no order: the last ones leave when there is no room for all.
void Choose(Range& range, ScanItem&& item) {
  const model::Keyspace& keyspace = *range.keyspace;
  const auto before = [&](const ScanItem& a, const ScanItem& b) {
    return Before(range, ClientKey(keyspace, a.stored), ClientKey(keyspace, b.stored));
  };
  // What is behind a key that was left out is left out too: `next` goes on before both.
  if (range.more && before(range.items.front(), item)) return;
  range.bytes += ReplyBytes(range, item);
  range.items.push_back(std::move(item));
  std::push_heap(range.items.begin(), range.items.end(), before);
  while (range.items.size() > range.count ||
         (range.items.size() > 1 && range.bytes > command::kReplyBytesMax)) {
    std::pop_heap(range.items.begin(), range.items.end(), before);
    range.bytes -= ReplyBytes(range, range.items.back());
    range.items.pop_back();
    range.more = true;
  }
}

// Whether a key of a hash keyspace lies between.
bool Between(const Range& range, std::string_view key) {
  if (range.from != "-" && key < range.from) return false;
  if (range.to != "+" && key > range.to) return false;
  if (!range.after) return true;
  return Before(range, ClientKey(*range.keyspace, *range.after), key);
}

// Takes a page of a shard. False: no more is needed.
bool Take(Range& range, std::vector<ScanItem>&& items) {
  for (ScanItem& item : items) {
    if (range.ordered) {
      if (!Append(range, std::move(item))) return false;
    } else if (Between(range, ClientKey(*range.keyspace, item.stored))) {
      Choose(range, std::move(item));
    }
  }
  return true;
}

void Answer(Lane& home, const RangePtr& range, WalkEnd end) {
  std::string bytes;
  resp::Reply reply(bytes, range->version);
  if (end.error) {
    reply.Error(shard::ReadError(*end.error));
    home.Finish(range->origin, bytes, {});
    return;
  }
  if (range->bytes > command::kReplyBytesMax) {
    reply.Error("ERR the next value is longer than 48 MiB; ask without VALUES");
    home.Finish(range->origin, bytes, {end.gate, false});
    return;
  }
  if (!range->ordered) {
    std::sort(range->items.begin(), range->items.end(), [&](const ScanItem& a, const ScanItem& b) {
      return Before(*range, ClientKey(*range->keyspace, a.stored),
                    ClientKey(*range->keyspace, b.stored));
    });
  }
  std::sort(range->touched.begin(), range->touched.end());
  range->touched.erase(std::unique(range->touched.begin(), range->touched.end()),
                       range->touched.end());
  reply.Map(3);
  reply.Bulk("keys");
  reply.Array(range->items.size());
  for (const ScanItem& item : range->items) {
    if (range->values) reply.Array(2);
    reply.Bulk(ClientKey(*range->keyspace, item.stored));
    if (range->values) AppendValue(item.row, reply);
  }
  reply.Bulk("next");
  range->more ? reply.Bulk(Hex(range->items.back().stored)) : reply.Null();
  reply.Bulk("shards");
  reply.Int(static_cast<int64_t>(range->touched.size()));
  home.Finish(range->origin, bytes, {end.gate, false});
}

// Reads the words behind the keyspace's name. Empty when they are right, else the error.
std::string Parse(const shard::Command& command, Range& range) {
  const command::Args args = command.args;
  for (size_t i = 2; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (EqualFolded(args[i], "rev")) {
      range.reverse = true;
    } else if (EqualFolded(args[i], "values")) {
      range.values = true;
    } else if (!has_value) {
      return "ERR syntax error";
    } else if (EqualFolded(args[i], "from")) {
      range.from = args[++i];
    } else if (EqualFolded(args[i], "to")) {
      range.to = args[++i];
    } else if (EqualFolded(args[i], "after")) {
      range.after = FromHex(args[++i]);
      model::StoredKeyParts parts;
      if (!range.after || !model::SplitStoredKey(*range.keyspace, *range.after, &parts)) {
        return "ERR AFTER takes what an earlier reply gave as next";
      }
    } else if (EqualFolded(args[i], "count")) {
      int64_t count = 0;
      if (!ParseInt(args[++i], &count) || count < 1 || count > kCountMost) {
        return "ERR COUNT must be from 1 to 100000";
      }
      range.count = static_cast<size_t>(count);
    } else {
      return "ERR syntax error";
    }
  }
  if (range.from.empty() || range.to.empty()) {
    return "ERR SLUICE RANGE needs FROM a TO b (- and + are open ends)";
  }
  return {};
}

}  // namespace

Submitted SubmitRange(Lane& lane, const shard::Command& command, const Origin& origin,
                      std::string& reply) {
  auto range = std::make_shared<Range>();
  range->origin = origin;
  range->version = command.version;
  resp::Reply writer(reply, command.version);
  if (command.args.size() < 2) {
    writer.Error("ERR wrong number of arguments for 'sluice|range' command");
    return {true, {}, model::Ack::kMemory};
  }
  range->keyspace = lane.router().FindKeyspace(command.args[1]);
  if (range->keyspace == nullptr) {
    writer.Error(fmt::format("ERR there is no keyspace '{}'", command.args[1]));
    return {true, {}, model::Ack::kMemory};
  }
  if (const std::string error = Parse(command, *range); !error.empty()) {
    writer.Error(error);
    return {true, {}, model::Ack::kMemory};
  }
  const auto& token = range->keyspace->token;
  range->ordered = !token.empty() && token.back().kind == model::TokenPartKind::kRange;
  WalkShards(
      lane, Stretches(lane, *range),
      [range](std::vector<ScanItem>&& items, size_t shard) {
        range->touched.push_back(shard);
        return Take(*range, std::move(items));
      },
      [range](Lane& home, WalkEnd end) { Answer(home, range, std::move(end)); });
  return {false, {}, model::Ack::kDurable};
}

}  // namespace sluice::ingest
