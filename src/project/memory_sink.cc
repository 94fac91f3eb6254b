#include "project/memory_sink.h"

#include <utility>

#include "base/number.h"

namespace sluice::project {
namespace {

std::string Sum(const std::string& number, int64_t delta) {
  int64_t value = 0;
  ParseInt(number, &value);
  return std::to_string(value + delta);
}

}  // namespace

void ApplyChange(const Change& change, std::map<std::string, MemoryRow>& rows, bool adds) {
  switch (change.kind) {
    case Change::Kind::kDeleted:
    case Change::Kind::kExpired:
      rows.erase(change.key);
      return;
    case Change::Kind::kValue:
      rows[change.key] = {
          adds && change.added ? Sum(rows[change.key].value, change.delta) : change.value,
          {},
          false};
      return;
    case Change::Kind::kFields:
      break;
  }
  MemoryRow& row = rows[change.key];
  if ((change.whole && !adds) || !row.is_hash) row = {{}, {}, true};
  for (const FieldChange& field : change.fields) {
    if (adds && field.added) {
      row.fields[field.name] = Sum(row.fields[field.name], field.delta);
    } else if (field.value) {
      row.fields[field.name] = *field.value;
    } else {
      row.fields.erase(field.name);
    }
  }
}

Result<Position> MemorySink::Open(uint64_t epoch) {
  const Fate fate = Next();
  if (fate != Fate::kDone) return Fail(Code::kUnavailable, "the sink is away");
  if (epoch < medium_->epoch) return Fail(Code::kFenced, "a later owner has the sink");
  medium_->epoch = epoch_ = epoch;
  open_ = true;
  return Places();
}

Position MemorySink::Places() const {
  Position position;
  for (const auto& [lineage, seq] : medium_->position) {
    position.push_back({model::Lineage(lineage), model::ShardSeq(seq)});
  }
  return position;
}

Result<Position> MemorySink::Look() {
  SLUICE_TRY(Check({}));
  if (Next() == Fate::kDone) return Places();
  open_ = false;
  return Fail(Code::kUnavailable, "the sink is away");
}

Status MemorySink::Check(const Batch& batch) const {
  if (!open_) return Fail(Code::kUnavailable, "the sink is not open");
  if (medium_->epoch != epoch_) return Fail(Code::kFenced, "a later owner has the sink");
  if (batch.anew) return Ok();
  std::map<uint64_t, uint64_t> from;
  for (const Place& place : batch.from) from[place.lineage.value] = place.seq.value;
  for (const Place& place : batch.to) {
    const auto at = medium_->position.find(place.lineage.value);
    const uint64_t now = at == medium_->position.end() ? 0 : at->second;
    if (from[place.lineage.value] != now) return Fail(Code::kConflict, "the sink is elsewhere");
  }
  return Ok();
}

Status MemorySink::Write(const Batch& batch) {
  SLUICE_TRY(Check(batch));
  const Fate fate = Next();
  if (fate == Fate::kRefused) return Fail(Code::kUnavailable, "the sink is away");
  if (fate != Fate::kDone) open_ = false;
  if (fate == Fate::kLost) return Fail(Code::kOutcomeUnknown, "the connection is gone");
  for (const Change& change : batch.changes) {
    if (!options_.poison) break;
    const std::string reason = options_.poison(change);
    if (!reason.empty()) return Fail(Code::kInvalid, reason);
  }
  if (batch.anew) {
    medium_->rows.clear();
    medium_->position.clear();
    medium_->dead.clear();
  }
  for (const Change& change : batch.changes) ApplyChange(change, medium_->rows, options_.adds);
  for (const Place& place : batch.to) medium_->position[place.lineage.value] = place.seq.value;
  for (const uint64_t id : batch.revived) medium_->dead.erase(id);
  for (const DeadLetter& letter : batch.dead) medium_->dead[letter.id] = letter;
  ++medium_->batches;
  if (fate == Fate::kDoneAndUnheard) return Fail(Code::kOutcomeUnknown, "the connection is gone");
  return Ok();
}

Result<std::vector<DeadLetter>> MemorySink::FindRefused(const Batch& batch) {
  std::vector<DeadLetter> refused;
  for (const Change& change : batch.changes) {
    const std::string reason = options_.poison ? options_.poison(change) : std::string();
    if (!reason.empty()) refused.push_back({0, change, reason, 0});
  }
  return refused;
}

Result<std::vector<DeadLetter>> MemorySink::Dead() {
  std::vector<DeadLetter> dead;
  for (const auto& [id, letter] : medium_->dead) dead.push_back(letter);
  return dead;
}

Result<std::vector<Difference>> MemorySink::Compare(const std::vector<Change>& expected) {
  std::vector<Difference> differences;
  for (const Change& change : expected) {
    std::map<std::string, MemoryRow> wanted;
    ApplyChange(change, wanted);
    const auto found = medium_->rows.find(change.key);
    const bool there = found != medium_->rows.end();
    if (there == !wanted.empty() && (!there || found->second == wanted.begin()->second)) continue;
    differences.push_back({change.key, there ? "the row is another" : "there is no such row"});
  }
  return differences;
}

Result<std::vector<RowKey>> MemorySink::RowsBehind(const std::string& place, size_t most) {
  std::vector<RowKey> rows;
  auto at = place.empty() ? medium_->rows.begin() : medium_->rows.upper_bound(place);
  for (; at != medium_->rows.end() && rows.size() < most; ++at) {
    rows.push_back({at->first, at->first, {}});
  }
  return rows;
}

Result<std::vector<Row>> MemorySink::ReadRows(const std::string& place, size_t most) {
  SLUICE_TRY(Check({}));
  if (Next() != Fate::kDone) {
    open_ = false;
    return Fail(Code::kUnavailable, "the sink is away");
  }
  SLUICE_ASSIGN(const std::vector<RowKey> keys, RowsBehind(place, most));
  std::vector<Row> rows;
  for (const RowKey& key : keys) {
    const MemoryRow& found = medium_->rows[*key.key];
    Row& row = rows.emplace_back(Row{key, {}, {}});
    if (!found.is_hash) row.value = found.value;
    row.fields.assign(found.fields.begin(), found.fields.end());
  }
  return rows;
}

}  // namespace sluice::project
