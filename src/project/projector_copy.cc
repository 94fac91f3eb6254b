// How a projection begins: rows of the sink into the state, and the state into the sink.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/log_line.h"
#include "base/number.h"
#include "project/change.h"
#include "project/projector.h"

namespace sluice::project {

// --- Rows that are there before the projection. ---

Status Projector::Seed() {
  SLUICE_ASSIGN(const bool done, seeder_->Step(sink_));
  why_ = seeder_->why();
  retry_us_ = 0;
  if (!done) return Ok();
  LogInfo("project", "the rows of the table are in the state",
          {{"projection", name_},
           {"written", seeder_->written()},
           {"keys_that_were_there", seeder_->there()},
           {"rows_without_a_value", seeder_->empty()}});
  done_ = 0;  // from now on the log is needed
  seeding_ = false;
  return BeginCopy(anew_);
}

// Once the sink has a position, it is not seeded again.
void Projector::EndSeed() {
  if (let_go_ || source_.seed == nullptr || at_.empty()) return;
  seeder_.reset();
  const Status kept = source_.seed->LetGo();
  let_go_ = kept.ok();
  if (!kept.ok()) why_ = kept.error().message;
}

// --- Copying the state. ---

Status Projector::BeginCopy(bool anew) {
  copying_ = true;
  // Nothing that the store lacks may be trimmed from now on: what it has now is a lower bound.
  done_ = 0;
  SLUICE_ASSIGN(copier_, Copier::Begin(source_));
  Pending begin;
  begin.batch.anew = anew;
  begin.lsn = model::Lsn(copier_->next().value - 1);
  begin.batch.to = copier_->position();
  if (adds_) {
    SLUICE_TRY(CopyAtOnce(std::move(begin.batch)));
    pending_->lsn = begin.lsn;
    return Ok();
  }
  StampStep(begin.batch, true);
  pending_ = std::move(begin);
  return Ok();
}

// Deltas must not come twice, so they come all or none.
Status Projector::CopyAtOnce(Batch batch) {
  SLUICE_ASSIGN(batch.changes, copier_->Step(kCopyAtOnceMax + 1, kBatchBytesMax * 16));
  SLUICE_ASSIGN(const auto more, copier_->Step(1, 1));
  if (batch.changes.size() > kCopyAtOnceMax || !more.empty()) {
    return Fail(Code::kInvalid,
                fmt::format("with mode = \"add\" the keys that are there must fit in one "
                            "transaction, and there are more than {}: begin with mode = \"set\"",
                            kCopyAtOnceMax));
  }
  for (Change& change : batch.changes) {
    const auto number = [](const std::string& text, int64_t* to) { return ParseInt(text, to); };
    change.added = change.kind == Change::Kind::kValue && number(change.value, &change.delta);
    for (FieldChange& field : change.fields) field.added = number(*field.value, &field.delta);
  }
  SortByKey(batch.changes);
  StampStep(batch, false);
  Pending next;
  next.batch = std::move(batch);
  pending_ = std::move(next);
  return Ok();
}

// What a sink was seeded from it has already.
Status Projector::LeaveOutEqual(std::vector<Change>& changes) {
  SLUICE_ASSIGN(const std::vector<Difference> differences, sink_.Compare(changes));
  std::unordered_set<std::string_view> keys;
  for (const Difference& difference : differences) keys.insert(difference.key);
  std::erase_if(changes, [&](const Change& change) { return !keys.contains(change.key); });
  return Ok();
}

// The next rows of the copy, or its end.
Status Projector::Copy() {
  Pending next;
  next.lsn = done();
  SLUICE_ASSIGN(next.batch.changes, copier_->Step(goal_, kBatchBytesMax));
  const bool ended = next.batch.changes.empty();
  if (source_.seed != nullptr) SLUICE_TRY(LeaveOutEqual(next.batch.changes));
  if (next.batch.changes.empty() && !ended) return Ok();
  SortByKey(next.batch.changes);
  StampStep(next.batch, !ended);
  pending_ = std::move(next);
  return Ok();
}

}  // namespace sluice::project
