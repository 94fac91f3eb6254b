#include "project/verifier.h"

#include <algorithm>
#include <utility>

#include "project/change.h"
#include "project/collapser.h"

namespace sluice::project {
namespace {

constexpr size_t kStepBytesMax = 4 << 20;

}  // namespace

Result<std::unique_ptr<Verifier>> Verifier::Begin(const Source& source) {
  std::unique_ptr<Verifier> verifier(new Verifier(source));
  SLUICE_ASSIGN(verifier->copier_, Copier::Begin(source));
  return verifier;
}

// Whether the sink has all that the snapshot has.
bool Verifier::Covers(const Position& position) const {
  return std::all_of(
      copier_->position().begin(), copier_->position().end(), [&](const Place& stored) {
        return std::any_of(position.begin(), position.end(), [&](const Place& place) {
          return place.lineage == stored.lineage && place.seq >= stored.seq;
        });
      });
}

Status Verifier::CatchUp(model::Lsn done) {
  SLUICE_TRY(tail_.Begin(copier_->position(), copier_->next()));
  while (tail_.lsn() < done) {
    SLUICE_ASSIGN(const bool more, tail_.Fill(kVerifyRows, kStepBytesMax, done));
    const Batch batch = tail_.Take();
    SLUICE_TRY(Merge(batch.changes));
    if (!more && batch.changes.empty() && tail_.lsn() < done) {
      return Fail(Code::kUnavailable, "the log ends before the sink");
    }
  }
  return Merge(tail_.Take().changes);
}

Status Verifier::Written(const std::vector<Change>& changes) {
  return caught_up_ ? Merge(changes) : Ok();  // it will be met in the log
}

Status Verifier::Merge(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    const auto [at, is_new] = since_.try_emplace(change.key, change);
    if (!is_new) {
      since_bytes_ -= BytesOf(at->second);
      MergeChange(at->second, Change(change));
    }
    since_bytes_ += BytesOf(at->second);
  }
  if (since_bytes_ <= kVerifyBytesMax) return Ok();
  return Fail(Code::kUnavailable, "too much was written meanwhile; try again when it is calmer");
}

// The next keys of the snapshot, as they are by now.
Result<std::vector<Change>> Verifier::Expected() {
  SLUICE_ASSIGN(std::vector<Change> changes, copier_->Step(kVerifyRows, kStepBytesMax));
  copied_ = changes.empty();
  for (Change& change : changes) {
    const auto since = since_.find(change.key);
    if (since != since_.end()) MergeChange(change, Change(since->second));
  }
  return changes;
}

// Keys that are written since; of those that the snapshot has, a part of what they are.
Result<std::vector<Change>> Verifier::Later() {
  std::vector<Change> changes;
  auto at = last_.empty() ? since_.begin() : since_.upper_bound(last_);
  for (size_t i = 0; at != since_.end() && i < kVerifyRows; ++at, ++i) {
    last_ = at->first;
    const bool partial = at->second.kind == Change::Kind::kFields && !at->second.whole;
    if (!partial) changes.push_back(at->second);
  }
  return changes;
}

Result<bool> Verifier::Step(Sink& sink, const Position& position, model::Lsn done,
                            const HasLetter& has_letter) {
  if (!caught_up_) {
    if (!Covers(position)) return false;
    SLUICE_TRY(CatchUp(done));
    caught_up_ = true;
  }
  if (!keys_) return CompareRows(sink, has_letter);
  SLUICE_TRY(CompareKeys(sink, has_letter));
  return false;
}

Status Verifier::CompareKeys(Sink& sink, const HasLetter& has_letter) {
  const bool later = copied_;
  SLUICE_ASSIGN(std::vector<Change> expected, later ? Later() : Expected());
  if (later && (since_.empty() || last_ == since_.rbegin()->first) && expected.empty()) {
    keys_ = false;
    return Ok();
  }
  // What becomes of the row of a key that ended by its time is the projection's setting.
  std::erase_if(expected,
                [](const Change& change) { return change.kind == Change::Kind::kExpired; });
  const size_t before = expected.size();
  std::erase_if(expected, [&](const Change& change) { return has_letter(change.key); });
  verdict_.letters += before - expected.size();
  SLUICE_ASSIGN(std::vector<Difference> differences, sink.Compare(expected));
  verdict_.compared += expected.size();
  for (Difference& difference : differences) Note(std::move(difference));
  return Ok();
}

// What the sink was told since the snapshot was compared with the keys.
Result<bool> Verifier::CompareRows(Sink& sink, const HasLetter& has_letter) {
  SLUICE_ASSIGN(const std::vector<RowKey> rows, sink.RowsBehind(place_, kVerifyRows));
  for (const RowKey& row : rows) {
    place_ = row.place;
    const std::string key = row.key ? *row.key : KeyOf(source_.keyspace, row.segments);
    if (has_letter(key) || since_.contains(key)) continue;
    SLUICE_ASSIGN(const bool there, copier_->Has(key));
    if (there) continue;
    Note({key, sink.keeps_expired() ? "there is a row, and no such key; of one that expired, "
                                      "on_expire = \"keep\" leaves the row"
                                    : "there is a row, and no such key"});
  }
  return rows.empty();
}

void Verifier::Note(Difference difference) {
  ++verdict_.differing;
  if (verdict_.differences.size() < kDifferencesMax) {
    verdict_.differences.push_back(std::move(difference));
  }
}

}  // namespace sluice::project
