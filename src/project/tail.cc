#include "project/tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::project {
namespace {

constexpr int kReopensMax = 8;  // of the log, until one group is read
constexpr model::Lsn kNoEnd(UINT64_MAX);

}  // namespace

Tail::Tail(const Source& source) : source_(source), changes_(source.keyspace) {}

void Tail::TakeShards() {
  std::shared_ptr<const SourceShards> now = source_.shards();
  if (now == known_) return;
  known_ = std::move(now);
  for (const SourceShard& shard : *known_) {
    if (!by_id_.emplace(shard.id, shards_.size()).second) continue;
    shards_.emplace_back().shard = shard;
    ends_.push_back(model::ShardSeq(1));
  }
}

Status Tail::Begin(const Position& position, model::Lsn from) {
  std::unordered_map<model::Lineage, model::ShardSeq> places;
  for (const Place& place : position) places[place.lineage] = place.seq;
  const std::vector<model::Lsn> starts = source_.log.starts();
  const model::Lsn appended = source_.appended();
  TakeShards();
  ends_.clear();
  for (Shard& shard : shards_) {
    const auto place = places.find(shard.shard.lineage);
    shard.at = place == places.end() ? model::ShardSeq() : place->second;
    shard.moved = false;
    ends_.push_back(source_.next_seq(shard.shard.lineage));
    if (shard.at >= ends_.back()) {
      return Fail(Code::kCorrupt,
                  fmt::format("the sink holds record {} of shard {}, and the log ends at {}: it "
                              "is another node's sink, or this node lost its latest writes",
                              shard.at.value, shard.shard.id.value, ends_.back().value - 1));
    }
  }
  ends_lsn_ = source_.appended();
  ends_checked_ = at_end_ = false;
  changes_.Take();
  moved_.clear();
  group_ = nullptr;
  if (from == model::Lsn()) {
    SLUICE_ASSIGN(from, FindStart(starts, appended));
  }
  return ReadFrom(std::max(from, source_.log.first()));
}

// Whether something is missing there, Enter and CheckEnds will see.
Status Tail::ReadFrom(model::Lsn first) {
  for (int again = 0;; ++again) {
    auto reader = source_.log.Read(first);
    const bool trimmed = !reader.has_value() && reader.error().code == Code::kNotFound;
    if (!trimmed || again == kReopensMax) {
      SLUICE_ASSIGN(reader_, std::move(reader));
      lsn_ = model::Lsn(first.value - 1);
      return Ok();
    }
    first = std::max(first, source_.log.first());
  }
}

// `starts` and `appended` were asked for before ends_: records that came since lie behind both.
Result<model::Lsn> Tail::FindStart(const std::vector<model::Lsn>& starts,
                                   model::Lsn appended) const {
  bool lacks = false;
  for (size_t i = 0; i < shards_.size(); ++i) lacks |= shards_[i].at.Next() < ends_[i];
  if (!lacks) return std::min(appended.Next(), source_.log.next());
  size_t low = 0, high = starts.size();  // nothing lies before the first
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    const model::Lsn until = middle + 1 < starts.size() ? starts[middle + 1] : kNoEnd;
    const auto late_enough = LacksNothingBefore(starts[middle], until);
    const bool trimmed = !late_enough.has_value() && late_enough.error().code == Code::kNotFound;
    if (!trimmed) SLUICE_TRY(late_enough);
    (trimmed || *late_enough ? low : high) = middle;
  }
  return starts[low];
}

// Reads on from there until each shard that lacks something has shown its next record. False also
// where that cannot be told before `until`.
Result<bool> Tail::LacksNothingBefore(model::Lsn from, model::Lsn until) const {
  std::vector<bool> unseen;
  for (size_t i = 0; i < shards_.size(); ++i) unseen.push_back(shards_[i].at.Next() < ends_[i]);
  auto unseen_count = std::count(unseen.begin(), unseen.end(), true);
  SLUICE_ASSIGN(const auto reader, source_.log.Read(from));
  while (unseen_count > 0) {
    SLUICE_ASSIGN(const log::GroupView* group, reader->Next());
    if (group == nullptr || group->first >= until) return false;
    for (const log::ShardSpan& span : group->shards) {
      const auto at = by_id_.find(span.shard);
      if (at == by_id_.end() || !unseen[at->second]) continue;
      if (span.first_seq > shards_[at->second].at.Next()) return false;
      unseen[at->second] = false;
      --unseen_count;
    }
  }
  return true;
}

Error Tail::Lost(const Shard& shard, model::ShardSeq found) const {
  return Error{Code::kNotFound,
               fmt::format("shard {} goes on in the log with record {}, and the sink needs it from "
                           "{}: what lies between was trimmed away",
                           shard.shard.id.value, found.value, shard.at.value + 1)};
}

Error Tail::Damaged(const std::string& what) const {
  return Error{Code::kCorrupt, fmt::format("segment {:016x}, offset {}: {}", group_->segment,
                                           group_->offset, what)};
}

Status Tail::CheckEnds() {
  if (ends_checked_ || lsn_ < ends_lsn_) return Ok();
  ends_checked_ = true;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i].at.Next() < ends_[i]) return Fail(Lost(shards_[i], ends_[i]));
  }
  return Ok();
}

Result<bool> Tail::NextGroup() {
  for (int reopened = 0; group_ == nullptr;) {
    const Result<const log::GroupView*> next = reader_->Next();
    if (!next.has_value() && next.error().code == Code::kNotFound && reopened++ < kReopensMax) {
      // Trimming that began before this place was known may go over it: over what the sink has.
      SLUICE_TRY(ReadFrom(std::max(lsn_.Next(), source_.log.first())));
      continue;
    }
    SLUICE_TRY(next);
    const log::GroupView* found = *next;
    if (found == nullptr) {
      at_end_ = true;
      SLUICE_TRY(CheckEnds());
      return false;
    }
    at_end_ = false;
    group_ = found;
    TakeShards();  // before they had a record, they were there
    SLUICE_TRY(Enter(*found));
  }
  return true;
}

// Goes to the group's first record, or over it when none of its records is for this projection.
Status Tail::Enter(const log::GroupView& group) {
  bool wanted = false;
  ++groups_;
  for (const log::ShardSpan& span : group.shards) {
    const auto at = by_id_.find(span.shard);
    if (at == by_id_.end()) continue;
    Shard& shard = shards_[at->second];
    if (span.lineage != shard.shard.lineage) {
      return Fail(Damaged("a shard has another lineage than in the map"));
    }
    // A shard that moved while the group was filled has a second span there, of a later epoch.
    const bool first = std::exchange(shard.group, groups_) != groups_;
    if (first) shard.next = span.first_seq;
    if (span.first_seq.value + span.records <= shard.at.value + 1) continue;
    if (first && span.first_seq > shard.at.Next()) return Fail(Lost(shard, span.first_seq));
    wanted = true;
  }
  batch_ = 0;
  records_left_ = 0;
  for (const log::BatchView& batch : group.batches) read_bytes_ += batch.bytes.size();
  if (wanted) return Ok();
  lsn_ = std::max(lsn_, model::Lsn(group.first.value + group.records - 1));
  group_ = nullptr;
  return CheckEnds();
}

Result<bool> Tail::Fill(size_t rows_max, size_t bytes_max, model::Lsn last) {
  read_bytes_ = 0;
  while (lsn_ < last && !Full(rows_max, bytes_max)) {
    if (read_bytes_ > kReadBytesMax) return true;
    SLUICE_ASSIGN(const bool more, NextGroup());
    if (!more) return false;
    while (group_ != nullptr && lsn_ < last && !Full(rows_max, bytes_max)) {
      SLUICE_TRY(TakeRecord());
    }
  }
  return false;
}

Status Tail::TakeRecord() {
  while (records_left_ == 0) {
    if (batch_ == group_->batches.size()) {
      group_ = nullptr;
      return CheckEnds();
    }
    records_ = Reader(group_->batches[batch_].bytes);
    records_left_ = group_->batches[batch_].records;
    ++batch_;
  }
  if (!model::ReadRecord(records_, &parts_)) {
    return Fail(Damaged("a record cannot be read; it may be of a newer version"));
  }
  --records_left_;
  for (const model::RecordPart& part : parts_) {
    const auto at = by_id_.find(part.shard);
    if (at != by_id_.end()) SLUICE_TRY(TakePart(part, shards_[at->second]));
  }
  const log::BatchView& batch = group_->batches[batch_ - 1];
  lsn_ = std::max(lsn_, model::Lsn(batch.first.value + batch.records - records_left_ - 1));
  return Ok();
}

void Tail::Mark(Shard& shard) {
  if (shard.moved) return;
  if (moved_.empty()) first_ms_ = group_->batches[batch_ - 1].time.ms();
  shard.moved = true;
  shard.begun = shard.at;
  moved_.push_back(&shard - shards_.data());
}

Status Tail::TakePart(const model::RecordPart& part, Shard& shard) {
  const model::ShardSeq seq = shard.next;
  shard.next = seq.Next();
  if (seq <= shard.at) return Ok();
  Reader effects(part.effects);
  model::Effect effect;
  const Place place{shard.shard.lineage, seq};
  Mark(shard);
  while (!effects.done()) {
    if (!model::ReadEffect(effects, &effect, &fields_)) {
      return Fail(Damaged("an effect cannot be read; it may be of a newer version"));
    }
    if (!Collapser::CanTake(effect)) {
      const bool clear = effect.kind == model::EffectKind::kClearShard;
      return Fail(Code::kInvalid,
                  fmt::format("record {} of shard {} {}, from a time when no projection read its "
                              "keyspace",
                              seq.value, shard.shard.id.value,
                              clear ? "deletes all keys (FLUSHALL)"
                                    : "changes a part of a value (APPEND or SETRANGE)"));
    }
    changes_.Add(effect, place, group_->batches[batch_ - 1].time.ms());
  }
  shard.at = seq;
  return Ok();
}

Batch Tail::Take() {
  Batch batch;
  for (const size_t i : moved_) {
    Shard& shard = shards_[i];
    if (shard.begun.value > 0) batch.from.push_back({shard.shard.lineage, shard.begun});
    batch.to.push_back({shard.shard.lineage, shard.at});
    shard.moved = false;
  }
  moved_.clear();
  batch.bytes = changes_.bytes();
  batch.changes = changes_.Take();
  return batch;
}

}  // namespace sluice::project
