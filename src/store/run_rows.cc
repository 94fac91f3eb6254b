#include "store/run_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "model/row.h"
#include "model/stored_key.h"

namespace sluice::store {
namespace {

// Entries in key order lie anywhere in memory: asking for them early hides most of the wait.
constexpr size_t kAhead = 16;

void Prefetch(const std::vector<Buffer::Entry>& entries, size_t at) {
  if (at < entries.size()) __builtin_prefetch(entries[at].key.data());
}

}  // namespace

Result<RunRows> RunRows::Of(const Run& run) {
  RunRows rows;
  if (run.buffer) rows.entries_ = run.buffer->Sorted();
  rows.meta_.reserve(run.positions.size() + 1);  // entries refer to its strings
  std::string key, row;
  model::FormatKey(key);
  EncodeFormat(row);
  rows.AddMeta(key, row);
  for (const Position& position : run.positions) {
    model::PositionKey(key, position.lineage);
    EncodePosition(row, position);
    rows.AddMeta(key, row);
  }
  SLUICE_TRY(rows.FindExpiring());
  rows.MakeExpiryKey();
  return rows;
}

Status RunRows::FindExpiring() {
  for (size_t i = 0; i < entries_.size(); ++i) {
    Prefetch(entries_, i + kAhead);
    const Buffer::Entry& entry = entries_[i];
    if (entry.deleted || entry.key.size() < 3 || model::KindOf(entry.key) != model::Kind::kValue) {
      continue;
    }
    model::RowView row;
    if (!model::DecodeRow(entry.row, &row)) {
      return Fail(Code::kCorrupt, fmt::format("the row of key {} is damaged", Hex(entry.key)));
    }
    if (row.expire_at_ms == 0) continue;
    expiring_.push_back({model::KeyspaceOf(entry.key), static_cast<uint32_t>(i), row.expire_at_ms});
  }
  // Index rows of one time follow the order of their keys, which is the order they are in now.
  std::stable_sort(expiring_.begin(), expiring_.end(), [](const Expiring& a, const Expiring& b) {
    return std::pair(a.keyspace, a.expire_at_ms) < std::pair(b.keyspace, b.expire_at_ms);
  });
  return Ok();
}

void RunRows::AddMeta(std::string key, std::string row) {
  const auto& [k, r] = meta_.emplace_back(std::move(key), std::move(row));
  const Buffer::Entry added{k, r, false};
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), k,
      [](const Buffer::Entry& e, std::string_view wanted) { return e.key < wanted; });
  if (at != entries_.end() && at->key == k) {
    *at = added;
  } else {
    // Nothing but rows about the store follows, so little is moved.
    entries_.insert(at, added);
  }
}

void RunRows::MakeExpiryKey() {
  if (next_expiring_ == expiring_.size()) return;
  const Expiring& next = expiring_[next_expiring_];
  model::ExpiryKeyOfValue(expiry_key_, entries_[next.entry].key, next.expire_at_ms);
}

bool RunRows::Next() {
  const bool entry_left = next_entry_ < entries_.size();
  if (next_expiring_ < expiring_.size() &&
      (!entry_left || expiry_key_ <= entries_[next_entry_].key)) {
    // The sweeper may have deleted the index row of a key that was then given the same end again.
    if (entry_left && expiry_key_ == entries_[next_entry_].key) ++next_entry_;
    expiry_key_now_.swap(expiry_key_);
    now_ = {expiry_key_now_, {}, false};
    ++next_expiring_;
    MakeExpiryKey();
    return true;
  }
  if (!entry_left) return false;
  Prefetch(entries_, next_entry_ + kAhead);
  now_ = entries_[next_entry_++];
  return true;
}

void EncodePosition(std::string& to, const Position& position) {
  to.clear();
  AppendLe(to, position.seq.value);
  AppendLe(to, position.lsn.value);
}

bool DecodePosition(std::string_view key, std::string_view row, Position* position) {
  if (key.size() != 11 || model::KeyspaceOf(key) != model::kMetaKeyspace ||
      model::KindOf(key) != model::Kind::kPosition) {
    return false;
  }
  Reader reader(row);
  position->lineage = model::Lineage(LoadBe64(key.data() + 3));
  position->seq = model::ShardSeq(reader.Le<uint64_t>());
  position->lsn = model::Lsn(reader.Le<uint64_t>());
  return reader.ok() && reader.done();
}

void EncodeFormat(std::string& to) {
  to.clear();
  AppendLe(to, kStoreFormat);
}

Status CheckFormat(std::string_view row, bool has_rows) {
  if (row.empty()) {
    if (!has_rows) return Ok();
    return Fail(Code::kCorrupt, "it holds rows but not the one that names their format");
  }
  if (row.size() != sizeof(uint32_t)) return Fail(Code::kCorrupt, "its format row is damaged");
  const auto format = LoadLe<uint32_t>(row.data());
  if (format == kStoreFormat) return Ok();
  return Fail(Code::kInvalid,
              fmt::format("it has format {}; this version reads format {}", format, kStoreFormat));
}

}  // namespace sluice::store
