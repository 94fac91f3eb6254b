#include "shard/batch.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace sluice::shard {
namespace {

// From one turn to the next.
constexpr size_t kFoldsKept = 1024;
constexpr size_t kSpareBytesKept = 1 << 20;

}  // namespace

bool TurnBatch::Join(uint32_t hash, const model::Effect& effect) {
  Seat& seat = SeatOf(hash);
  if (seat.era != era_ || seat.hash != hash) return false;
  if (!(seat.at & kFolded ? GoOn(seat, effect) : BeginFold(seat, effect))) {
    seat.era = 0;
    return false;
  }
  folded_bytes_ += effect.value.size();
  for (const model::Field& field : effect.fields) {
    folded_bytes_ += field.name.size() + field.value.size();
  }
  return true;
}

bool TurnBatch::GoOn(const Seat& seat, const model::Effect& effect) {
  last_ = seat.at & ~kFolded;
  Folded& folded = folds_[last_];
  return folded.fold.IsOn(effect) && folded.fold.Take(effect);
}

// The second write of the turn to a key: from here on its record is kept apart.
bool TurnBatch::BeginFold(Seat& seat, const model::Effect& effect) {
  Reader record(std::string_view(bytes_).substr(seat.at));
  SLUICE_CHECK(model::ReadRecord(record, &parts_) && parts_.size() == 1);
  Reader effects(parts_[0].effects);
  model::Effect first;
  SLUICE_CHECK(model::ReadEffect(effects, &first, &fields_));
  if (first.key != effect.key || first.keyspace != effect.keyspace) return false;
  if (used_ == folds_.size()) folds_.emplace_back();
  Folded& folded = folds_[used_];
  if (!folded.fold.Begin(first, effects.rest()) || !folded.fold.Take(effect)) return false;
  folded.at = seat.at;
  folded.size = bytes_.size() - seat.at - record.left();
  folded.shard = parts_[0].shard;
  last_ = used_++;
  seat.at = kFolded | static_cast<uint32_t>(last_);
  return true;
}

void TurnBatch::AddToken(const model::Effect& token) {
  folds_[last_].fold.AddToken(token);
  folded_bytes_ += token.token.size() + token.value.size();
}

void TurnBatch::End(uint32_t hash) {
  Seat& seat = SeatOf(hash);
  if (seat.hash == hash) seat.era = 0;
}

void TurnBatch::Seal() {
  if (used_ == 0) return;
  order_.resize(used_);
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::sort(order_.begin(), order_.end(),
            [this](size_t a, size_t b) { return folds_[a].at < folds_[b].at; });
  sealed_.clear();
  size_t from = 0;
  for (const size_t i : order_) {
    const Folded& folded = folds_[i];
    sealed_.append(bytes_, from, folded.at - from);
    effects_.clear();
    folded.fold.AppendTo(effects_);
    model::AppendRecord(sealed_, folded.shard, effects_);
    from = folded.at + folded.size;
  }
  sealed_.append(bytes_, from);
  bytes_.swap(sealed_);
}

void TurnBatch::Clear() {
  bytes_.clear();
  records_ = 0;
  for (const size_t shard : touched_) counts_[shard] = 0;
  touched_.clear();
  awaited_ = false;
  ++era_;
  for (size_t i = 0; i < used_; ++i) folds_[i].fold.Shrink();
  if (used_ > kFoldsKept) folds_.resize(kFoldsKept);
  used_ = folded_bytes_ = 0;
  for (std::string* text : {&sealed_, &effects_}) {
    if (text->capacity() > kSpareBytesKept) std::string().swap(*text);
  }
}

}  // namespace sluice::shard
