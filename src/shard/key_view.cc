#include "shard/key_view.h"

#include <unordered_set>

#include "base/check.h"
#include "command/reply_bound.h"
#include "model/stored_key.h"

namespace sluice::shard {

void KeyView::Begin(const KeyPlace& place, model::Turn turn, uint64_t now_ms, Fetch* fetch) {
  place_ = place;
  turn_ = turn;
  wait_ = model::Turn();
  now_ms_ = now_ms;
  fetch_ = fetch;
  effects_.clear();
  may_fold_ = folded_ = false;
  error_.reset();
  row_known_ = false;
  met_.reset();
  value_key_ = place.value_key;
  if (!field_values_.empty()) field_values_.clear();
  if (!missing_.empty()) missing_ = Fetch();
  missing_bytes_ = 0;
}

command::View::Have KeyView::Look(const store::HashedKey& stored_key, std::string* scratch,
                                  std::string_view* row) {
  if (fetch_ != nullptr) {
    const Fetch::Row* read = fetch_->Find(stored_key.bytes);
    if (read != nullptr && !state_.FindBuffered(stored_key)) {
      *row = read->bytes;
      return read->exists ? Have::kYes : Have::kNo;
    }
  }
  auto found = state_.Find(stored_key, store::Tier::kMemory, scratch);
  if (!found.has_value()) {
    error_ = found.error();
    return Have::kNo;
  }
  wait_ = std::max(wait_, found->turn);
  switch (found->answer) {
    case store::Answer::kFound:
      *row = found->row;
      return Have::kYes;
    case store::Answer::kMissing:
      return Have::kNo;
    case store::Answer::kCold:
      break;
  }
  missing_bytes_ += stored_key.bytes.size();
  if (missing_bytes_ > command::kReplyBytesMax) {
    error_ = Error{Code::kInvalid, std::string(command::kTooMuchToRead)};
    return Have::kNo;
  }
  missing_.wanted.emplace_back(stored_key.bytes);
  return Have::kCold;
}

command::View::Have KeyView::FindRow(std::string_view key, model::RowView* row) {
  SLUICE_CHECK(key.data() == place_.key.data() || key == place_.key);
  if (!row_known_) {
    MakeValueKey();
    std::string_view bytes;
    const Have have = Look(value_key_, &row_scratch_, &bytes);
    if (have == Have::kCold) return have;
    row_ = {have == Have::kYes, bytes};
    row_known_ = true;
  }
  met_ = false;
  if (!row_.exists) return Have::kNo;
  if (!model::DecodeRow(row_.bytes, row)) {
    error_ = Error{Code::kCorrupt, "a stored row is not a row"};
    return Have::kNo;
  }
  met_ = row->expire_at_ms == 0 || row->expire_at_ms > now_ms_;
  return *met_ ? Have::kYes : Have::kNo;
}

command::View::Have KeyView::FindField(std::string_view key, const model::RowView& row,
                                       std::string_view field, std::string_view* value) {
  SLUICE_CHECK(row.is_hash());
  if (row.type == model::RowType::kSmallHash) {
    model::FieldWalk walk(row.body);
    while (walk.Next()) {
      if (walk.field != field) continue;
      *value = walk.value;
      return Have::kYes;
    }
    return Have::kNo;
  }
  model::FieldPrefix(other_key_, place_.keyspace, place_.token, key, row.generation);
  other_key_.append(field);
  std::string_view found;
  const Have have = Look(other_key_, &field_scratch_, &found);
  if (have != Have::kYes) return have;
  if (found.data() == field_scratch_.data()) {  // the next look-up would overwrite it
    field_values_.push_back(std::move(field_scratch_));
    field_scratch_.clear();
    found = field_values_.back();
  }
  *value = found;
  return have;
}

command::View::Have KeyView::AllFields(std::string_view key, const model::RowView& row,
                                       std::vector<model::Field>* fields) {
  SLUICE_CHECK(row.is_hash());
  fields->clear();
  if (row.type == model::RowType::kSmallHash) {
    model::FieldWalk walk(row.body);
    while (walk.Next()) fields->push_back({walk.field, walk.value});
    return Have::kYes;
  }
  model::FieldPrefix(other_key_, place_.keyspace, place_.token, key, row.generation);
  if (fetch_ == nullptr || !fetch_->scanned) {
    missing_.prefix = other_key_;
    missing_.snapshot = state_.Snap();
    return Have::kCold;
  }
  // The newest buffer that names a field decides; what none names is as stored. The views point
  // into buffers that the snapshot holds.
  std::unordered_set<std::string_view> decided;
  const store::Snapshot& snapshot = fetch_->snapshot;
  for (size_t i = 0; i < snapshot.buffers.size(); ++i) {
    const model::Turn lent = snapshot.lent[i];
    snapshot.buffers[i]->ForEachOf(other_key_, [&](std::string_view stored, std::string_view value,
                                                   bool deleted, model::Turn turn) {
      wait_ = std::max(wait_, lent == model::Turn() ? turn : lent);
      const std::string_view field = stored.substr(other_key_.size());
      if (decided.insert(field).second && !deleted) fields->push_back({field, value});
      return true;
    });
  }
  for (const auto& [field, value] : fetch_->range) {
    if (!decided.contains(field)) fields->push_back({field, value});
  }
  return Have::kYes;
}

void KeyView::MakeValueKey() {
  if (!value_key_.bytes.empty()) return;
  model::ValueKey(value_key_bytes_, place_.keyspace, place_.token, place_.key);
  value_key_ = value_key_bytes_;
}

void KeyView::Emit(const model::Effect& effect) {
  if (error_) return;  // what was read is not to be built upon
  model::Effect logged = effect;
  logged.keyspace = place_.keyspace;
  MakeValueKey();
  Log(logged);
  const At at{place_.token, place_.shard_begin, place_.shard_end, turn_, now_ms_, value_key_};
  const Status applied = applier_.Apply(logged, at, row_known_ ? &row_ : nullptr);
  SLUICE_CHECK_MSG(applied.ok(), "an effect whose row was read before cannot fail to apply");
  row_known_ = false;
  wait_ = turn_;
}

// A token goes where its write went. A write that does not fold ends what came before it.
void KeyView::Log(const model::Effect& effect) {
  const bool token =
      effect.kind == model::EffectKind::kOnce || effect.kind == model::EffectKind::kProducer;
  if (token && folded_) return batch_.AddToken(effect);
  if (!token && may_fold_) folded_ = batch_.Join(value_key_.hash, effect);
  if (!token && !may_fold_) batch_.End(value_key_.hash);
  if (!folded_) model::AppendEffect(effects_, effect);
}

model::Generation KeyView::NewGeneration() {
  ++clock_.value;
  return model::Generation(clock_.value);
}

command::View::Have KeyView::FindOther(std::string_view stored_key, std::string_view* row) {
  return Look(stored_key, &other_scratch_, row);
}

Fetch KeyView::TakeMissing() {
  Fetch fetch = std::move(missing_);
  missing_ = Fetch();
  missing_bytes_ = 0;
  return fetch;
}

}  // namespace sluice::shard
