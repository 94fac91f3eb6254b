// PgSink: a table of PostgreSQL as the sink of a projection.
//
// A batch is one transaction: first the places are moved, then rows and letters follow. It is
// committed only after all of that is known to have worked, in a message of its own: so whoever
// finds the places unlocked knows that no commit of an earlier connection is still on its way.
//
// With several connections a batch is written in parts, each with its own lineages in a transaction
// of its own, and all are committed when all have worked. A failure between the commits is
// kOutcomeUnknown: the places say which were written. When parts wait for each other (a unique
// index beside the key, a trigger), batches are no longer divided until the sink is opened anew.
//
// Owns:     its connections.
// Threads:  as Sink.
// Failure:  as Sink. Logins that are refused are kUnavailable: they may be mended at the server.
// Bounds:   kRaceRetriesMax; PgLogin has those of time. What a batch takes is in memory twice, as
//           arrays and as libpq's message.
// Format:   docs/guides/postgres.md has the tables.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "env/env.h"
#include "env/linux/interrupt.h"
#include "project/pg_columns.h"
#include "project/pg_connection.h"
#include "project/pg_ledger.h"
#include "project/pg_rows.h"
#include "project/sink.h"

namespace sluice::project {

inline constexpr uint64_t kPgConnectionsMax = 16;
inline constexpr int kRaceRetriesMax = 5;  // of a batch that met a deadlock; then kUnavailable

struct PgSinkOptions {
  std::string name;  // the projection's
  std::string url;   // postgresql://…
  std::string table;
  std::vector<std::pair<std::string, std::string>> columns;  // pg_columns.h
  std::vector<std::string> key;                              // columns that make a row one
  std::vector<std::string> segments;                         // of the keyspace's template
  config::ProjectionMode mode = config::ProjectionMode::kSet;
  config::ProjectionAdopt adopt = config::ProjectionAdopt::kRefuse;
  config::ProjectionOnExpire on_expire = config::ProjectionOnExpire::kKeep;
  uint64_t connections = 1;
  bool create = false;  // makes the table when it is missing
  uint64_t connect_ms = 10'000, statement_ms = 60'000, lock_ms = 10'000;  // as in PgLogin
};

class PgSink final : public Sink {
 public:
  // kInvalid: the options make no sense, whatever the table; the message names the setting.
  // kIo: no descriptor can be had.
  static Result<std::unique_ptr<PgSink>> Make(PgSinkOptions options, env::Clock& clock);

  Result<Position> Open(uint64_t epoch) override;
  Status Write(const Batch& batch) override;
  Result<Position> Look() override;
  Result<std::vector<DeadLetter>> FindRefused(const Batch& batch) override;
  Result<std::vector<DeadLetter>> Dead() override;
  Result<std::vector<Difference>> Compare(const std::vector<Change>& expected) override;
  Result<std::vector<RowKey>> RowsBehind(const std::string& place, size_t most) override;
  bool wants_seed() const override { return wants_seed_; }
  Result<std::vector<Row>> ReadRows(const std::string& place, size_t most) override;
  bool keeps_expired() const override {
    return options_.on_expire == config::ProjectionOnExpire::kKeep;
  }
  SinkReport report() const override { return {notes_}; }
  void Cancel() override { interrupt_->Raise(); }

 private:
  // What one connection writes of a batch, in one transaction.
  struct Part {
    Position moved_from, moved_to, added;
    std::vector<const Change*> changes;
    std::vector<const DeadLetter*> dead;
    size_t epoch_at = 0, move_at = 0, add_at = 0;  // of their results; 0: no such statement
  };

  PgSink(PgSinkOptions options, PgMapping mapping, PgTableName table, env::Clock& clock,
         std::unique_ptr<env::Interrupt> interrupt)
      : options_(std::move(options)),
        mapping_(std::move(mapping)),
        table_name_(std::move(table)),
        clock_(clock),
        interrupt_(std::move(interrupt)) {}

  Result<Position> Take(PgConnection& connection, uint64_t epoch);
  Result<PgTable> FindTable(PgConnection& connection);
  Error RowsOfOthers(const PgTable& table) const;
  Status CheckSeed(PgConnection& connection);
  Status CheckDeclaredTypes(PgConnection& connection, const PgTable& table);
  Result<PgOwner> TakeOwner(PgConnection& connection, const PgTable& table, uint64_t epoch);
  void Close();

  Result<PgRows> AskRows(const std::string& place, size_t most, bool whole);
  bool CanDivide(const Batch& batch) const;
  std::vector<Part> PartsOf(const Batch& batch) const;
  Part WholeOf(const Batch& batch) const;
  std::vector<PgStatement> StatementsOf(const Batch& batch, Part& part) const;
  PgResult<void> TryWrite(const Batch& batch, std::optional<Error>* answer);
  PgResult<void> Execute(const Batch& batch, std::vector<Part>& parts, bool* moved);
  std::optional<Error> WhyNotMoved();
  PgResult<void> Commit(size_t parts, std::optional<Error>* answer);
  PgResult<void> Rollback(size_t parts);

  PgResult<void> Try(std::span<const Change* const> changes,
                     std::vector<std::pair<const Change*, std::string>>& refused);
  PgResult<void> CompareSome(std::span<const Change* const> changes,
                             std::vector<Difference>& differences);

  const PgSinkOptions options_;
  const PgMapping mapping_;
  const PgTableName table_name_;
  env::Clock& clock_;
  const std::unique_ptr<env::Interrupt> interrupt_;
  std::vector<std::unique_ptr<PgConnection>> connections_;  // empty: not open
  std::optional<PgLedger> ledger_;
  std::optional<PgRowWriter> writer_;
  std::string quoted_table_;
  uint64_t epoch_ = 0;
  bool adopted_ = false;
  bool wants_seed_ = false;
  bool undivided_ = false;  // parts of a batch waited for each other, which nobody can resolve
  std::vector<std::string> notes_;
};

}  // namespace sluice::project
