#include "ingest/hash_scan.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <utility>

#include "base/glob.h"
#include "base/number.h"
#include "base/text.h"
#include "command/handler.h"
#include "ingest/scan.h"
#include "model/stored_key.h"

namespace sluice::ingest {
namespace {

constexpr uint64_t kFieldsMax = 100'000;  // of a page, whatever COUNT says
constexpr size_t kEntryBytes = 64;        // what an entry takes besides its key and row, about

// A read of one key.
struct Read {
  Node::Pin pin;
  Origin origin;
  resp::Version version;
  std::string key, token, value_key;
  model::KeyspaceId keyspace;
  // Goes on with the row, on the lane that owns it; null: there is none.
  std::function<void(Lane&, const std::shared_ptr<Read>&, const model::RowView*)> then;

  std::string FieldsOf(const model::RowView& row) const {
    std::string prefix;
    model::FieldPrefix(prefix, keyspace, token, key, row.generation);
    return prefix;
  }
};
using ReadPtr = std::shared_ptr<Read>;

// Sends the reply once this turn's writes are durable.
void Reveal(Lane& there, const Origin& origin, std::string bytes) {
  there.AfterTurn([origin, bytes = std::move(bytes)](Lane& after, model::Lsn lsn) {
    after.Call(origin.lane, [origin, bytes, lsn](Lane& home) {
      home.Finish(origin, bytes, {lsn, false});
    });
  });
}

void RevealError(Lane& there, const Read& read, std::string_view error) {
  std::string bytes;
  resp::Reply(bytes, read.version).Error(error);
  Reveal(there, read.origin, std::move(bytes));
}

void GoOn(Lane& there, const ReadPtr& read, std::string_view bytes) {
  model::RowView row;
  if (bytes.empty()) return read->then(there, read, nullptr);
  if (!model::DecodeRow(bytes, &row)) {
    return RevealError(there, *read,
                       shard::ReadError({Code::kCorrupt, "a stored row is not a row"}));
  }
  const bool expired = row.expire_at_ms != 0 && row.expire_at_ms <= there.shards().now_ms();
  read->then(there, read, expired ? nullptr : &row);
}

// Finds the row in memory or, as a page of one key, on disk.
void Find(Lane& there, const ReadPtr& read) {
  std::string scratch;
  const auto found = there.shards().state().Find(read->value_key, store::Tier::kMemory, &scratch);
  if (!found.has_value()) return RevealError(there, *read, shard::ReadError(found.error()));
  if (found->answer != store::Answer::kCold) {
    const bool exists = found->answer == store::Answer::kFound;
    return GoOn(there, read, exists ? found->row : std::string_view());
  }
  ScanRequest request{.begin = read->value_key, .end = read->value_key + '\0', .limit = 1};
  request.with_rows = true;
  Scan(there, std::move(request), [read](Lane& back, ScanPage page) {
    if (page.error) return RevealError(back, *read, shard::ReadError(*page.error));
    GoOn(back, read, page.items.empty() ? std::string_view() : page.items[0].row);
  });
}

// Begins the read on the lane that owns the key; or the refusal is written.
Submitted Begin(Lane& lane, ReadPtr read, std::string_view key, std::string& reply) {
  if (key.size() > model::kKeyBytesMax) {
    resp::Reply(reply, read->version).Error("ERR key is longer than 60000 bytes");
    return {true, {}, model::Ack::kMemory};
  }
  const auto placed = lane.router().Place(key, &read->token);
  if (!placed.has_value()) {
    resp::Reply(reply, read->version).Error(placed.error().message);
    return {true, {}, model::Ack::kMemory};
  }
  read->key = key;
  read->keyspace = placed->keyspace->id;
  model::ValueKey(read->value_key, read->keyspace, read->token, key);
  lane.Call(lane.OwnerOf(placed->shard), [read](Lane& there) { Find(there, read); });
  return {false, {}, model::Ack::kDurable};
}

// --- HSCAN ---

struct HScan {
  uint64_t number = 0;  // of the cursor that was sent
  std::string error;    // of the words behind the cursor: of no interest if there is no key
  std::optional<std::string> pattern;
  uint64_t count = model::kSmallHashFieldsMax;
};
using HScanPtr = std::shared_ptr<HScan>;

std::string_view ParseWords(command::Args words, HScan* scan) {
  for (size_t at = 0; at < words.size(); at += 2) {
    if (at + 1 == words.size()) return command::kSyntax;
    int64_t count = 0;
    if (EqualFolded(words[at], "match")) {
      scan->pattern = words[at + 1];
    } else if (!EqualFolded(words[at], "count")) {
      return command::kSyntax;
    } else if (!ParseInt(words[at + 1], &count)) {
      return command::kNotAnInteger;
    } else if (count < 1) {
      return command::kSyntax;
    } else {
      scan->count = std::clamp(static_cast<uint64_t>(count), scan->count, kFieldsMax);
    }
  }
  return {};
}

// As wide as Redis reads it: "-1", "+1" and nothing are cursors too.
bool ParseCursor(std::string_view word, uint64_t* number) {
  const std::string text(word);
  char* end = nullptr;
  errno = 0;
  *number = std::strtoull(text.c_str(), &end, 10);
  return !std::isspace(static_cast<unsigned char>(text[0])) && *end == '\0' && errno != ERANGE;
}

class FieldsReply {
 public:
  explicit FieldsReply(const HScan& scan) : scan_(scan) {}

  void Add(std::string_view field, std::string_view value) {
    if (scan_.pattern && !GlobMatch(*scan_.pattern, field)) return;
    resp::Reply fields(fields_, resp::Version::k2);
    fields.Bulk(field);
    fields.Bulk(value);
    ++count_;
  }
  std::string Text(uint64_t next) const {
    std::string bytes;
    resp::Reply reply(bytes, resp::Version::k2);
    reply.Array(2);
    reply.Bulk(std::to_string(next));
    reply.Array(2 * count_);
    reply.Raw(fields_);
    return bytes;
  }

 private:
  const HScan& scan_;
  std::string fields_;
  size_t count_ = 0;
};

uint64_t MarkOf(const Read& read) {
  return (uint64_t{1} << 32) | store::HashedKey::HashOf(read.value_key);  // never 0
}

void ShowFields(Lane& there, const ReadPtr& read, const HScanPtr& scan, const std::string& prefix,
                const ScanPage& page) {
  if (page.error) return RevealError(there, *read, shard::ReadError(*page.error));
  FieldsReply reply(*scan);
  for (const ScanItem& item : page.items) {
    reply.Add(std::string_view(item.stored).substr(prefix.size()), item.row);
  }
  uint64_t next = 0;
  if (!page.complete) {
    ScanCursor cursor;
    cursor.hash = MarkOf(*read);
    cursor.from = page.next.substr(prefix.size());
    next = there.node().cursors.Put(std::move(cursor), scan->number);
  }
  Reveal(there, read->origin, reply.Text(next));
}

void ScanHash(Lane& there, const ReadPtr& read, const HScanPtr& scan, const model::RowView* row) {
  if (row == nullptr) return Reveal(there, read->origin, FieldsReply(*scan).Text(0));
  if (!row->is_hash()) return RevealError(there, *read, command::kWrongType);
  if (!scan->error.empty()) return RevealError(there, *read, scan->error);
  if (row->type == model::RowType::kSmallHash) {
    FieldsReply reply(*scan);
    model::FieldWalk walk(row->body);
    while (walk.Next()) reply.Add(walk.field, walk.value);
    return Reveal(there, read->origin, reply.Text(0));
  }
  const std::string prefix = read->FieldsOf(*row);
  ScanRequest request{.begin = prefix, .end = model::PrefixEnd(prefix), .limit = scan->count};
  request.fields = true;
  if (scan->number != 0) {
    const auto cursor = there.node().cursors.Use(scan->number);
    if (!cursor || cursor->hash != MarkOf(*read)) {
      return RevealError(there, *read,
                         "ERR this cursor is not known (any more); begin again with cursor 0");
    }
    request.begin += cursor->from;
  }
  Scan(there, std::move(request), [read, scan, prefix](Lane& back, const ScanPage& page) {
    ShowFields(back, read, scan, prefix, page);
  });
}

}  // namespace

Submitted SubmitHScan(Lane& lane, const shard::Command& command, const Origin& origin,
                      std::string& reply) {
  auto scan = std::make_shared<HScan>();
  if (!ParseCursor(command.args[2], &scan->number)) {
    resp::Reply(reply, command.version).Error("ERR invalid cursor");
    return {true, {}, model::Ack::kMemory};
  }
  scan->error = ParseWords(command.args.subspan(3), scan.get());
  auto read = std::make_shared<Read>();
  read->pin = lane.node().pin;
  read->origin = origin;
  read->version = command.version;
  read->then = [scan](Lane& there, const ReadPtr& same, const model::RowView* row) {
    ScanHash(there, same, scan, row);
  };
  return Begin(lane, std::move(read), command.args[1], reply);
}

Submitted SubmitUsage(Lane& lane, std::string_view key, size_t samples, resp::Version version,
                      const Origin& origin, std::string& reply) {
  const auto answer = [](Lane& there, const ReadPtr& read, size_t bytes) {
    std::string text;
    resp::Reply(text, read->version).Int(static_cast<int64_t>(bytes));
    Reveal(there, read->origin, std::move(text));
  };
  auto read = std::make_shared<Read>();
  read->pin = lane.node().pin;
  read->origin = origin;
  read->version = version;
  read->then = [samples, answer](Lane& there, const ReadPtr& same, const model::RowView* row) {
    if (row == nullptr) {
      std::string text;
      resp::Reply(text, same->version).Null();
      return Reveal(there, same->origin, std::move(text));
    }
    const size_t head = kEntryBytes + same->value_key.size() + row->body.size();
    if (row->type != model::RowType::kLargeHash) return answer(there, same, head);
    const std::string prefix = same->FieldsOf(*row);
    ScanRequest request{.begin = prefix, .end = model::PrefixEnd(prefix), .limit = samples};
    request.fields = true;
    Scan(there, std::move(request),
         [same, answer, head, count = row->count](Lane& back, const ScanPage& page) {
           if (page.error) return RevealError(back, *same, shard::ReadError(*page.error));
           size_t bytes = 0;
           for (const ScanItem& item : page.items) {
             bytes += kEntryBytes + item.stored.size() + item.row.size();
           }
           answer(back, same, head + bytes * count / std::max<size_t>(1, page.items.size()));
         });
  };
  return Begin(lane, std::move(read), key, reply);
}

}  // namespace sluice::ingest
