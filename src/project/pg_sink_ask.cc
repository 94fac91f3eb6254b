// What a PgSink is asked and does not write: refused changes, dead letters, differences.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "project/pg_letters.h"
#include "project/pg_sink.h"

namespace sluice::project {
namespace {

constexpr size_t kCompareAtOnce = 1000;

using Changes = std::span<const Change* const>;

Failure NotOpen() {
  return Fail(Code::kUnavailable, "the sink is not open");
}

}  // namespace

// Halves until what is left is one change. What is taken stays until the end, as it would in a
// batch.
PgResult<void> PgSink::Try(Changes changes,
                           std::vector<std::pair<const Change*, std::string>>& refused) {
  if (changes.empty()) return {};
  PgConnection& connection = *connections_.front();
  std::vector<PgStatement> statements = {{.sql = "SAVEPOINT sluice_try"},
                                         {.sql = "SET CONSTRAINTS ALL DEFERRED"}};
  std::vector<PgStatement> rows = writer_->Statements(changes);
  std::move(rows.begin(), rows.end(), std::back_inserter(statements));
  statements.push_back({.sql = "SET CONSTRAINTS ALL IMMEDIATE"});
  statements.push_back({.sql = "RELEASE SAVEPOINT sluice_try"});
  auto tried = connection.Run(statements);
  if (tried.has_value()) return {};
  if (tried.error().kind != PgFault::Kind::kRefused) return Fault(std::move(tried).error());
  SLUICE_PG_TRY(connection.Ask("ROLLBACK TO SAVEPOINT sluice_try"));
  if (changes.size() == 1) {
    refused.emplace_back(changes.front(), std::move(tried).error().message);
    return {};
  }
  const size_t half = changes.size() / 2;
  SLUICE_PG_TRY(Try(changes.first(half), refused));
  return Try(changes.subspan(half), refused);
}

Result<std::vector<DeadLetter>> PgSink::FindRefused(const Batch& batch) {
  if (connections_.empty()) return NotOpen();
  std::vector<std::pair<const Change*, std::string>> refused;
  std::vector<const Change*> rest;
  for (const Change& change : batch.changes) {
    if (auto why = writer_->WhyRefused(change)) {
      refused.emplace_back(&change, *std::move(why));
    } else {
      rest.push_back(&change);
    }
  }
  PgConnection& connection = *connections_.front();
  PgResult<PgRows> begun = connection.Ask("BEGIN ISOLATION LEVEL READ COMMITTED");
  PgResult<void> tried = begun.has_value() ? Try(rest, refused) : Fault(begun.error());
  if (tried.has_value() || !tried.error().lost()) {
    PgResult<PgRows> ended = connection.Ask("ROLLBACK");
    if (!ended.has_value()) tried = Fault(ended.error());
  }
  if (!tried.has_value()) {
    const PgFault fault = std::move(tried).error();
    if (fault.lost()) Close();
    return Fail(Code::kUnavailable, fault.message);
  }
  std::sort(refused.begin(), refused.end());  // the order of the batch, where they all are
  std::vector<DeadLetter> letters;
  for (auto& [change, why] : refused) {
    letters.push_back(
        {.id = 0, .change = *change, .reason = std::move(why), .at_ms = clock_.WallMs()});
  }
  return letters;
}

Result<Position> PgSink::Look() {
  if (connections_.empty()) return Fail(Code::kConflict, "the sink is not open");
  PgResult<Position> found = ledger_->ReadPlaces(*connections_.front());
  if (found.has_value()) return *std::move(found);
  const PgFault fault = std::move(found).error();
  if (fault.lost()) Close();
  return Fail(Code::kUnavailable, fault.message);
}

Result<std::vector<DeadLetter>> PgSink::Dead() {
  if (connections_.empty()) return NotOpen();
  const PgStatement read = ReadLetters(ledger_->letters(), ledger_->projection());
  auto found = connections_.front()->Run({&read, 1});
  if (!found.has_value()) {
    if (found.error().lost()) Close();
    return Fail(Code::kUnavailable, found.error().message);
  }
  std::vector<DeadLetter> letters;
  for (const PgRow& row : found->front().rows) {
    SLUICE_ASSIGN(DeadLetter letter, LetterOf(row));
    letters.push_back(std::move(letter));
  }
  return letters;
}

PgResult<void> PgSink::CompareSome(Changes changes, std::vector<Difference>& differences) {
  if (changes.empty()) return {};
  const PgStatement statement = writer_->Comparison(changes);
  auto found = connections_.front()->Run({&statement, 1});
  if (!found.has_value()) {
    if (found.error().kind != PgFault::Kind::kRefused) return Fault(std::move(found).error());
    // A value that its column cannot hold; the others are compared without it.
    if (changes.size() == 1) {
      differences.push_back({changes.front()->key, std::move(found).error().message});
      return {};
    }
    SLUICE_PG_TRY(CompareSome(changes.first(changes.size() / 2), differences));
    return CompareSome(changes.subspan(changes.size() / 2), differences);
  }
  const std::vector<std::string> columns = writer_->ComparedColumns();
  for (const PgRow& row : found->front().rows) {
    const Change& change = *changes[std::stoul(row[0].value_or("1")) - 1];
    const bool wanted = change.kind == Change::Kind::kValue || change.kind == Change::Kind::kFields;
    Difference& difference = differences.emplace_back();
    difference.key = change.key;
    if (!wanted || row[1] != "t") {
      difference.what = wanted ? "there is no such row" : "there is a row, and should be none";
      continue;
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      if (row[4 + 3 * i] != "t") continue;
      difference.what +=
          fmt::format("{}{} is {} and should be {}", difference.what.empty() ? "" : ", ",
                      columns[i], row[2 + 3 * i].value_or("NULL"), row[3 + 3 * i].value_or("NULL"));
    }
  }
  return {};
}

Result<std::vector<Difference>> PgSink::Compare(const std::vector<Change>& expected) {
  if (connections_.empty()) return NotOpen();
  if (mapping_.mode == config::ProjectionMode::kAdd) {
    return Fail(Code::kInvalid,
                "rows of mode = \"add\" hold what others added too, so that there "
                "is nothing to compare them with");
  }
  std::vector<Difference> differences;
  std::vector<const Change*> changes;
  for (const Change& change : expected) {
    if (auto why = writer_->WhyRefused(change)) {
      differences.push_back({change.key, "it cannot be in the table: " + *why});
    } else {
      changes.push_back(&change);
    }
  }
  for (size_t i = 0; i < changes.size(); i += kCompareAtOnce) {
    const size_t count = std::min(kCompareAtOnce, changes.size() - i);
    PgResult<void> compared = CompareSome(Changes(changes).subspan(i, count), differences);
    if (compared.has_value()) continue;
    const PgFault fault = std::move(compared).error();
    if (fault.lost()) Close();
    return Fail(Code::kUnavailable, fault.message);
  }
  return differences;
}

Result<PgRows> PgSink::AskRows(const std::string& place, size_t most, bool whole) {
  if (connections_.empty()) return NotOpen();
  const PgElements behind = ParsePgArray(place.empty() ? "{}" : place);
  SLUICE_CHECK(behind.has_value());
  const PgStatement statement = writer_->RowsBehind(*behind, most, whole);
  auto found = connections_.front()->Run({&statement, 1});
  if (found.has_value()) return std::move(found->front());
  if (found.error().lost()) Close();
  return Fail(Code::kUnavailable, found.error().message);
}

Result<std::vector<RowKey>> PgSink::RowsBehind(const std::string& place, size_t most) {
  std::vector<RowKey> rows;
  // What was there before the projection is not its to judge.
  if (adopted_) return rows;
  SLUICE_ASSIGN(const PgRows found, AskRows(place, most, false));
  for (const PgRow& row : found.rows) rows.push_back(writer_->KeyOf(row));
  return rows;
}

Result<std::vector<Row>> PgSink::ReadRows(const std::string& place, size_t most) {
  std::vector<Row> rows;
  SLUICE_ASSIGN(const PgRows found, AskRows(place, most, true));
  for (const PgRow& row : found.rows) rows.push_back(writer_->RowOf(row));
  return rows;
}

}  // namespace sluice::project
