#include "project/copier.h"

#include <algorithm>
#include <utility>

#include "model/stored_key.h"
#include "project/change.h"
#include "project/collapser.h"
#include "store/run_rows.h"

namespace sluice::project {

Result<std::unique_ptr<Copier>> Copier::Begin(const Source& source) {
  std::unique_ptr<Copier> copier(new Copier(source));
  copier->next_ = source.log.first();
  copier->cursor_ = source.store.NewCursor();
  copier->now_ms_ = source.log.time().ms();
  SLUICE_TRY(copier->ReadPosition());
  model::KindPrefix(copier->prefix_, source.keyspace.id, model::Kind::kValue, {});
  copier->at_ = copier->prefix_;
  return copier;
}

Status Copier::ReadPosition() {
  model::Lsn next = source_.log.next();
  std::string key;
  const std::shared_ptr<const SourceShards> shards = source_.shards();
  for (const SourceShard& shard : *shards) {
    model::PositionKey(key, shard.lineage);
    cursor_->Seek(key);
    SLUICE_TRY(cursor_->status());
    if (!cursor_->Valid() || cursor_->key() != key) {
      next = next_;  // the store has nothing of it: all its records are in the log
      continue;
    }
    store::Position found;
    if (!store::DecodePosition(cursor_->key(), cursor_->row(), &found)) {
      return Fail(Code::kCorrupt, "a position in the store is damaged");
    }
    if (found.seq.value > 0) position_.push_back({shard.lineage, found.seq});
    next = std::min(next, found.lsn.Next());
  }
  next_ = std::max(next_, next);
  std::sort(position_.begin(), position_.end(),
            [](const Place& a, const Place& b) { return a.lineage < b.lineage; });
  return Ok();
}

Result<std::vector<Change>> Copier::Step(size_t rows_max, size_t bytes_max) {
  std::vector<Change> changes;
  size_t bytes = 0;
  while (changes.size() < rows_max && bytes < bytes_max) {
    if (at_.empty()) {
      cursor_->Next();
    } else {
      cursor_->Seek(at_);
      at_.clear();
    }
    SLUICE_TRY(cursor_->status());
    if (!cursor_->Valid() || !cursor_->key().starts_with(prefix_)) {
      at_ = model::PrefixEnd(prefix_);  // it stays at the end
      break;
    }
    SLUICE_ASSIGN(const bool taken, CopyRow(changes));
    if (taken) bytes += BytesOf(changes.back());
  }
  copied_ += changes.size();
  return changes;
}

Result<bool> Copier::Has(std::string_view key) {
  std::string token, stored;
  if (key.size() > model::kKeyBytesMax || !source_.token(key, &token)) return false;
  model::ValueKey(stored, source_.keyspace.id, token, key);
  cursor_->Seek(stored);
  SLUICE_TRY(cursor_->status());
  return cursor_->Valid() && cursor_->key() == stored;
}

Result<bool> Copier::CopyRow(std::vector<Change>& to) {
  model::StoredKeyParts parts;
  model::RowView row;
  const std::string stored(cursor_->key()), bytes(cursor_->row());
  if (!model::SplitStoredKey(source_.keyspace, stored, &parts) || !model::DecodeRow(bytes, &row)) {
    return Fail(Code::kCorrupt, "a stored row is not a row");
  }
  if (row.expire_at_ms != 0 && row.expire_at_ms <= now_ms_) return false;
  if (!row.is_hash()) {
    to.push_back(WholeValue(source_.keyspace, parts.key, row.body));
  } else {
    Change change = WholeHash(source_.keyspace, parts.key);
    SLUICE_TRY(CopyFields(parts.token, row, change));
    if (row.type == model::RowType::kLargeHash) at_ = stored + '\0';  // the least key behind it
    std::sort(change.fields.begin(), change.fields.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    to.push_back(std::move(change));
  }
  to.back().time_ms = now_ms_;
  return true;
}

Status Copier::CopyFields(std::string_view token, const model::RowView& row, Change& change) {
  if (row.type == model::RowType::kSmallHash) {
    model::FieldWalk walk(row.body);
    while (walk.Next()) {
      change.fields.push_back({std::string(walk.field), std::string(walk.value)});
    }
    return Ok();
  }
  std::string prefix;
  model::FieldPrefix(prefix, source_.keyspace.id, token, change.key, row.generation);
  for (cursor_->Seek(prefix); cursor_->Valid() && cursor_->key().starts_with(prefix);
       cursor_->Next()) {
    change.fields.push_back(
        {std::string(cursor_->key().substr(prefix.size())), std::string(cursor_->row())});
  }
  return cursor_->status();
}

}  // namespace sluice::project
