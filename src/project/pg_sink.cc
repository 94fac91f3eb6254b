#include "project/pg_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/log_line.h"
#include "project/pg_letters.h"

namespace sluice::project {
namespace {

// No more isolation than needed, and no less than the order of locks relies on, whatever the role
// is set to. Whether it may write is the server's to say.
constexpr const char* kBegin = "BEGIN ISOLATION LEVEL READ COMMITTED";

// A rebuild deletes every row in one statement.
constexpr uint64_t kAnewMs = 3'600'000;

PgLogin LoginOf(const PgSinkOptions& options) {
  return {.url = options.url,
          .application = "sluice/" + options.name,
          .connect_ms = options.connect_ms,
          .statement_ms = options.statement_ms,
          .lock_ms = options.lock_ms};
}

// A full disk at the time of opening is like any other trouble of the server.
Error OpenError(const PgFault& fault) {
  Error error = fault.AsError();
  if (error.code == Code::kNoSpace) error.code = Code::kUnavailable;
  return error;
}

// Of a batch that has changed nothing. A table that is no longer what it was is looked at again.
Error WriteError(const PgFault& fault) {
  Error error = fault.AsError();
  if (fault.kind == PgFault::Kind::kMisfit) error.code = Code::kConflict;
  return error;
}

using Seqs = std::unordered_map<model::Lineage, model::ShardSeq>;

Seqs SeqsOf(const Position& position) {
  Seqs seqs;
  for (const Place& place : position) seqs.emplace(place.lineage, place.seq);
  return seqs;
}

Status CheckAdopt(const PgSinkOptions& options, const PgMapping& mapping) {
  using config::ProjectionAdopt;
  using config::ProjectionMode;
  if (options.adopt == ProjectionAdopt::kSeed) {
    if (options.mode == ProjectionMode::kAdd) {
      return Fail(Code::kInvalid, "adopt = \"seed\" needs mode = \"set\"");
    }
    if (mapping.has_value == mapping.has_fields) {
      return Fail(Code::kInvalid,
                  "adopt = \"seed\" needs columns that are the value or fields of a key, and not "
                  "both: else nobody knows what a row was");
    }
  }
  if (options.adopt == ProjectionAdopt::kOverwrite && options.mode == ProjectionMode::kAdd) {
    return Fail(Code::kInvalid,
                "adopt = \"overwrite\" needs mode = \"set\"; to add to the rows "
                "that are there: adopt = \"add\"");
  }
  if (options.adopt == ProjectionAdopt::kAdd && options.mode == ProjectionMode::kSet) {
    return Fail(Code::kInvalid, "adopt = \"add\" needs mode = \"add\"");
  }
  return Ok();
}

}  // namespace

Result<std::unique_ptr<PgSink>> PgSink::Make(PgSinkOptions options, env::Clock& clock) {
  SLUICE_TRY(CheckPgUrl(options.url));
  SLUICE_ASSIGN(PgTableName table, ParsePgTableName(options.table));
  SLUICE_ASSIGN(PgMapping mapping, ParsePgMapping(options));
  SLUICE_TRY(CheckAdopt(options, mapping));
  if (options.connections < 1 || options.connections > kPgConnectionsMax) {
    return Fail(Code::kInvalid, fmt::format("connections: 1 to {}", kPgConnectionsMax));
  }
  SLUICE_ASSIGN(std::unique_ptr<env::Interrupt> interrupt, env::Interrupt::Open());
  return std::unique_ptr<PgSink>(new PgSink(std::move(options), std::move(mapping),
                                            std::move(table), clock, std::move(interrupt)));
}

void PgSink::Close() {
  connections_.clear();
  writer_.reset();
  ledger_.reset();
}

Result<Position> PgSink::Open(uint64_t epoch) {
  Close();
  const PgLogin login = LoginOf(options_);
  auto first = PgConnection::Open(login, clock_, *interrupt_);
  if (!first.has_value()) return Fail(OpenError(first.error()));
  connections_.push_back(*std::move(first));
  Result<Position> position = Take(*connections_.front(), epoch);
  // What is still open of the transaction ends with the connection.
  if (!position.has_value()) Close();
  for (uint64_t i = 1; position.has_value() && i < options_.connections; ++i) {
    auto more = PgConnection::Open(login, clock_, *interrupt_);
    if (!more.has_value()) {
      Close();
      return Fail(OpenError(more.error()));
    }
    connections_.push_back(*std::move(more));
  }
  return position;
}

Result<Position> PgSink::Take(PgConnection& connection, uint64_t epoch) {
  if (auto begun = connection.Ask(kBegin); !begun.has_value())
    return Fail(OpenError(begun.error()));
  SLUICE_ASSIGN(const PgTable table, FindTable(connection));
  SLUICE_ASSIGN(std::vector<PgColumnType> types, FitPgTable(table, mapping_));
  SLUICE_TRY(CheckDeclaredTypes(connection, table));
  ledger_.emplace(table, options_.name);
  if (auto made = ledger_->MakeTables(connection); !made.has_value()) {
    return Fail(OpenError(made.error()));
  }
  SLUICE_ASSIGN(const PgOwner owner, TakeOwner(connection, table, epoch));
  PgResult<Position> position = ledger_->TakePlaces(connection, epoch);
  if (!position.has_value()) return Fail(OpenError(position.error()));
  const bool begins = owner.adopted && position->empty();
  if (begins && options_.adopt == config::ProjectionAdopt::kRefuse)
    return Fail(RowsOfOthers(table));

  quoted_table_ = table.QuotedPath();
  writer_.emplace(mapping_, std::move(types), quoted_table_,
                  options_.on_expire == config::ProjectionOnExpire::kDelete);
  wants_seed_ = begins && options_.adopt == config::ProjectionAdopt::kSeed;
  if (wants_seed_) SLUICE_TRY(CheckSeed(connection));
  std::vector<PgStatement> last = writer_->Probes();
  last.push_back({.sql = "COMMIT"});
  if (auto done = connection.Run(last); !done.has_value()) return Fail(OpenError(done.error()));
  epoch_ = epoch;
  adopted_ = owner.adopted;
  undivided_ = false;
  notes_ = PgTableNotes(table, mapping_);
  return *std::move(position);
}

Result<PgTable> PgSink::FindTable(PgConnection& connection) {
  PgResult<std::optional<PgTable>> table = ReadPgTable(connection, table_name_);
  if (!table.has_value()) return Fail(OpenError(table.error()));
  if (!table->has_value() && options_.create) {
    auto made = connection.Ask(CreatePgTable(table_name_, mapping_));
    if (!made.has_value()) return Fail(OpenError(made.error()).In("table: " + options_.table));
    table = ReadPgTable(connection, table_name_);
    if (!table.has_value()) return Fail(OpenError(table.error()));
  }
  if (table->has_value()) return **std::move(table);
  return Fail(Code::kInvalid,
              fmt::format("table: there is no table {} that this user can see; create it, or set "
                          "create = true",
                          options_.table));
}

// A type behind "::" says what the table has; where it has another one, somebody is mistaken.
Status PgSink::CheckDeclaredTypes(PgConnection& connection, const PgTable& table) {
  for (const PgColumn& column : mapping_.columns) {
    if (column.source.type.empty()) continue;
    auto said = connection.Ask(fmt::format("SELECT pg_typeof(NULL::{})::text", column.source.type));
    if (!said.has_value()) {
      return Fail(OpenError(said.error()).In(fmt::format("columns: {}", column.name)));
    }
    const std::string wanted = said->rows.front()[0].value_or("");
    for (const PgTableColumn& found : table.columns) {
      if (found.name != column.name || found.type == wanted) continue;
      return Fail(Code::kInvalid, fmt::format("columns: {} of {} is {}, and not {}", column.name,
                                              table.name, found.declared, column.source.type));
    }
  }
  return Ok();
}

Result<PgOwner> PgSink::TakeOwner(PgConnection& connection, const PgTable& table, uint64_t epoch) {
  PgResult<std::optional<PgOwner>> owner = ledger_->LockOwner(connection);
  if (!owner.has_value()) return Fail(OpenError(owner.error()));
  if (owner->has_value()) {
    if ((*owner)->target != table.name) {
      return Fail(Code::kInvalid,
                  fmt::format("table: projection {} has written to {} so far; give the projection "
                              "another name to write to {} from the start",
                              options_.name, (*owner)->target, table.name));
    }
    if ((*owner)->epoch > epoch) {
      return Fail(Code::kFenced,
                  fmt::format("epoch {} has it, and this one is {}", (*owner)->epoch, epoch));
    }
    if ((*owner)->oid == table.oid) return **owner;
    // What it wrote to was dropped; this one has nothing of it.
    LogWarning("project", "the table is another one than before; the projection begins anew",
               {{"projection", options_.name}, {"table", table.name}});
    if (auto removed = ledger_->RemoveOwner(connection); !removed.has_value()) {
      return Fail(OpenError(removed.error()));
    }
  }
  PgResult<std::string> writer = ledger_->WriterOf(connection, table.name);
  if (!writer.has_value()) return Fail(OpenError(writer.error()));
  if (!writer->empty()) {
    return Fail(Code::kInvalid,
                fmt::format("table: projection {0} writes to {1} already; if it is no more, DELETE "
                            "FROM {2}.sluice_projections WHERE projection = '{0}'",
                            *writer, table.name, table.schema));
  }
  if (!table.empty && options_.adopt == config::ProjectionAdopt::kRefuse) {
    return Fail(RowsOfOthers(table));
  }
  const PgOwner taken{
      .epoch = epoch, .target = table.name, .oid = table.oid, .adopted = !table.empty};
  if (auto added = ledger_->AddOwner(connection, taken); !added.has_value()) {
    return Fail(OpenError(added.error()));
  }
  return taken;
}

Error PgSink::RowsOfOthers(const PgTable& table) const {
  return {
      Code::kInvalid,
      fmt::format("adopt: {} has rows, and no position of projection {}; say \"seed\" (its rows "
                  "are read into Sluice first), \"overwrite\" (keys written to Sluice replace "
                  "their rows), or \"add\" (increments are added to them)",
                  table.name, options_.name)};
}

// A row that is no key's would be left behind in silence.
Status PgSink::CheckSeed(PgConnection& connection) {
  const PgStatement find = writer_->FindNullKey();
  auto found = connection.Run({&find, 1});
  if (!found.has_value()) return Fail(OpenError(found.error()));
  if (found->front().rows.front()[0] != "t") return Ok();
  return Fail(Code::kInvalid,
              fmt::format("adopt: {} has rows with NULL in a column of key, which can be no keys; "
                          "change or delete them",
                          quoted_table_));
}

bool PgSink::CanDivide(const Batch& batch) const {
  if (connections_.size() < 2 || undivided_ || batch.anew || !batch.revived.empty()) return false;
  // A new place is under the lock of the owner's row, for which parts would wait in turn.
  const Seqs from = SeqsOf(batch.from), to = SeqsOf(batch.to);
  for (const Place& place : batch.to) {
    if (!from.contains(place.lineage)) return false;
  }
  for (const Change& change : batch.changes) {
    if (!to.contains(change.last.lineage)) return false;
  }
  for (const DeadLetter& letter : batch.dead) {
    if (!to.contains(letter.change.last.lineage)) return false;
  }
  return to.size() > 1;
}

PgSink::Part PgSink::WholeOf(const Batch& batch) const {
  Part part;
  const Seqs from = batch.anew ? Seqs() : SeqsOf(batch.from);
  for (const Place& place : batch.to) {
    const auto before = from.find(place.lineage);
    if (before == from.end()) {
      part.added.push_back(place);
    } else {
      part.moved_from.push_back({place.lineage, before->second});
      part.moved_to.push_back(place);
    }
  }
  for (const Change& change : batch.changes) part.changes.push_back(&change);
  for (const DeadLetter& letter : batch.dead) part.dead.push_back(&letter);
  return part;
}

// Each lineage into the part that has the fewest rows so far, those with most rows first.
std::vector<PgSink::Part> PgSink::PartsOf(const Batch& batch) const {
  if (!CanDivide(batch)) return {WholeOf(batch)};
  std::unordered_map<model::Lineage, size_t> rows;
  for (const Change& change : batch.changes) ++rows[change.last.lineage];
  std::vector<std::pair<size_t, Place>> largest;
  for (const Place& place : batch.to) largest.emplace_back(rows[place.lineage], place);
  std::stable_sort(largest.begin(), largest.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const Seqs from = SeqsOf(batch.from);
  std::vector<Part> parts(std::min(connections_.size(), largest.size()));
  std::vector<size_t> load(parts.size());
  std::unordered_map<model::Lineage, size_t> part_of;
  for (const auto& [count, place] : largest) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += count + 1;
    const size_t number = static_cast<size_t>(least - load.begin());
    part_of[place.lineage] = number;
    parts[number].moved_from.push_back({place.lineage, from.at(place.lineage)});
    parts[number].moved_to.push_back(place);
  }
  for (const Change& change : batch.changes) {
    parts[part_of[change.last.lineage]].changes.push_back(&change);
  }
  for (const DeadLetter& letter : batch.dead) {
    parts[part_of[letter.change.last.lineage]].dead.push_back(&letter);
  }
  return parts;
}

std::vector<PgStatement> PgSink::StatementsOf(const Batch& batch, Part& part) const {
  std::vector<PgStatement> all = {{.sql = kBegin}};
  if (!part.added.empty() || part.moved_to.empty()) {
    part.epoch_at = all.size();
    all.push_back(ledger_->LockEpoch());
  }
  if (batch.anew) {
    all.push_back({.sql = "SELECT set_config('statement_timeout', '0', true)"});
    all.push_back(ledger_->RemovePlaces());
    all.push_back({.sql = fmt::format("DELETE FROM {} WHERE projection = $1", ledger_->letters()),
                   .values = {ledger_->projection()}});
    // Rows that were there before the projection are somebody else's.
    if (!adopted_) all.push_back({.sql = "DELETE FROM " + quoted_table_});
  }
  if (!part.moved_to.empty()) {
    part.move_at = all.size();
    all.push_back(ledger_->MovePlaces(part.moved_from, part.moved_to, epoch_));
  }
  if (!part.added.empty()) {
    part.add_at = all.size();
    all.push_back(ledger_->AddPlaces(part.added, epoch_));
  }
  std::vector<PgStatement> rows = writer_->Statements(part.changes);
  std::move(rows.begin(), rows.end(), std::back_inserter(all));
  for (const DeadLetter* letter : part.dead) {
    all.push_back(AddLetter(ledger_->letters(), ledger_->projection(), *letter));
  }
  if (!batch.revived.empty()) {
    all.push_back(RemoveLetters(ledger_->letters(), ledger_->projection(), batch.revived));
  }
  return all;
}

Status PgSink::Write(const Batch& batch) {
  if (connections_.empty()) return Fail(Code::kConflict, "the sink is not open");
  if (batch.anew && adopted_ && mapping_.mode == config::ProjectionMode::kAdd) {
    return Fail(Code::kInvalid,
                "a table that had rows before cannot be built anew in mode = "
                "\"add\": nobody knows what they were");
  }
  for (const Change& change : batch.changes) {
    if (auto why = writer_->WhyRefused(change)) return Fail(Code::kInvalid, *std::move(why));
  }
  for (int attempt = 0;; ++attempt) {
    std::optional<Error> answer;
    PgResult<void> tried = TryWrite(batch, &answer);
    if (tried.has_value()) {
      if (answer.has_value()) return Fail(*std::move(answer));
      return Ok();
    }
    const PgFault& fault = tried.error();
    if (fault.lost()) Close();
    const bool race = fault.kind == PgFault::Kind::kRace;
    if (!race || attempt == kRaceRetriesMax) return Fail(WriteError(fault));
  }
}

// A fault: nothing was written. `*answer`: what to say although there was none.
PgResult<void> PgSink::TryWrite(const Batch& batch, std::optional<Error>* answer) {
  std::vector<Part> parts = PartsOf(batch);
  bool moved = false;
  PgResult<void> executed = Execute(batch, parts, &moved);
  if (executed.has_value() && moved) return Commit(parts.size(), answer);
  if (!executed.has_value() && executed.error().lost()) return executed;
  SLUICE_PG_TRY(Rollback(parts.size()));
  if (executed.has_value()) {
    *answer = WhyNotMoved();
    return {};
  }
  if (parts.size() > 1 && executed.error().kind == PgFault::Kind::kBusy) {
    undivided_ = true;
    executed.error().kind = PgFault::Kind::kRace;
  }
  return executed;
}

PgResult<void> PgSink::Execute(const Batch& batch, std::vector<Part>& parts, bool* moved) {
  std::optional<PgFault> fault;
  const auto note = [&](PgFault&& other) {
    // One that is lost says least about the batch, and most about what to do now.
    if (!fault.has_value() || (other.lost() && !fault->lost())) fault = std::move(other);
  };
  std::vector<bool> sent(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    PgResult<void> result = connections_[i]->Send(StatementsOf(batch, parts[i]));
    sent[i] = result.has_value();
    if (!sent[i]) note(std::move(result).error());
  }
  *moved = true;
  const uint64_t patience_ms = batch.anew ? kAnewMs : connections_.front()->patience_ms();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!sent[i]) continue;
    const Part& part = parts[i];
    auto results = connections_[i]->Receive(patience_ms);
    if (!results.has_value()) {
      note(std::move(results).error());
      continue;
    }
    const auto is = [&](size_t at, size_t count) {
      return at == 0 || (*results)[at].affected == count;
    };
    *moved = *moved && is(part.move_at, part.moved_to.size()) &&
             is(part.add_at, part.added.size()) &&
             (part.epoch_at == 0 || EpochOf((*results)[part.epoch_at]) == epoch_);
  }
  if (fault.has_value()) return Fault(*std::move(fault));
  return {};
}

PgResult<void> PgSink::Rollback(size_t parts) {
  const PgStatement rollback{.sql = "ROLLBACK"};
  for (size_t i = 0; i < parts; ++i) SLUICE_PG_TRY(connections_[i]->Run({&rollback, 1}));
  return {};
}

std::optional<Error> PgSink::WhyNotMoved() {
  PgStatement ask = ledger_->LockEpoch();
  auto found = connections_.front()->Run({&ask, 1});
  if (!found.has_value()) {
    if (found.error().lost()) Close();
    return Error{Code::kConflict, "the places are not where the batch begins"};
  }
  const std::optional<uint64_t> owner = EpochOf(found->front());
  if (owner.has_value() && *owner > epoch_) {
    return Error{Code::kFenced, fmt::format("epoch {} has it, and this one is {}", *owner, epoch_)};
  }
  return Error{Code::kConflict, "the places are not where the batch begins"};
}

PgResult<void> PgSink::Commit(size_t parts, std::optional<Error>* answer) {
  const PgStatement commit{.sql = "COMMIT"};
  std::optional<PgFault> fault;
  size_t committed = 0;
  bool lost = false;
  const auto note = [&](PgFault&& other) {
    lost |= other.lost();
    if (!fault.has_value()) fault = std::move(other);
  };
  std::vector<bool> sent(parts);
  for (size_t i = 0; i < parts; ++i) {
    PgResult<void> result = connections_[i]->Send({&commit, 1});
    sent[i] = result.has_value();
    if (!sent[i]) note(std::move(result).error());
  }
  for (size_t i = 0; i < parts; ++i) {
    if (!sent[i]) continue;
    auto result = connections_[i]->Receive(connections_[i]->patience_ms());
    if (!result.has_value()) {
      note(std::move(result).error());
    } else if (result->front().tag == "COMMIT") {
      ++committed;
    } else {
      note({PgFault::Kind::kBusy, "", "COMMIT was answered with " + result->front().tag, 0});
    }
  }
  if (!fault.has_value()) return {};
  if (!lost && committed == 0) return Fault(*std::move(fault));
  *answer = Error{Code::kOutcomeUnknown, fault->message};
  Close();
  return {};
}

}  // namespace sluice::project
