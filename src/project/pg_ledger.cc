#include "project/pg_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "project/pg_letters.h"
#include "project/pg_text.h"

namespace sluice::project {
namespace {

std::string Number(uint64_t number) {
  return std::to_string(static_cast<int64_t>(number));
}

uint64_t NumberOf(const std::optional<std::string>& text) {
  int64_t number = 0;
  if (text.has_value()) std::from_chars(text->data(), text->data() + text->size(), number);
  return static_cast<uint64_t>(number);
}

Position PositionOf(const PgRows& rows) {
  Position position;
  for (const PgRow& row : rows.rows) {
    position.push_back({model::Lineage(NumberOf(row[0])), model::ShardSeq(NumberOf(row[1]))});
  }
  std::sort(position.begin(), position.end(),
            [](const Place& a, const Place& b) { return a.lineage < b.lineage; });
  return position;
}

}  // namespace

std::optional<uint64_t> EpochOf(const PgRows& rows) {
  if (rows.rows.empty() || rows.rows.front().empty()) return std::nullopt;
  return NumberOf(rows.rows.front()[0]);
}

PgLedger::PgLedger(const PgTable& table, std::string projection)
    : projection_(std::move(projection)),
      table_(table.QuotedPath()),
      table_oid_(table.oid),
      projections_(QuotedName(table.schema) + ".\"sluice_projections\""),
      positions_(QuotedName(table.schema) + ".\"sluice_positions\""),
      letters_(QuotedName(table.schema) + ".\"sluice_dead_letters\"") {}

PgResult<void> PgLedger::MakeTable(PgConnection& connection, const std::string& path,
                                   const std::string& create) const {
  SLUICE_PG_ASSIGN(const PgRows there,
                   connection.Ask("SELECT to_regclass($1) IS NOT NULL", {path}));
  if (there.rows.front()[0] == "t") return {};
  PgResult<PgRows> made = connection.Ask(create);
  if (made.has_value()) return {};
  PgFault fault = std::move(made).error();
  // Somebody who does not wait made it in this moment, or the right to do so is missing.
  if (fault.kind == PgFault::Kind::kRefused) fault.kind = PgFault::Kind::kRace;
  fault.message = fmt::format("{} cannot be made: {}", path, fault.message);
  return Fault(std::move(fault));
}

PgResult<void> PgLedger::MakeTables(PgConnection& connection) const {
  SLUICE_PG_ASSIGN(const PgRows there,
                   connection.Ask("SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT "
                                  "NULL AND to_regclass($3) IS NOT NULL",
                                  {projections_, positions_, letters_}));
  if (there.rows.front()[0] == "t") return {};
  // IF NOT EXISTS does not keep two that make a table in one moment apart: one of them fails.
  // Projections of a new database all begin in one moment.
  SLUICE_PG_TRY(
      connection.Ask("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", {projections_}));
  SLUICE_PG_TRY(MakeTable(connection, projections_,
                          fmt::format("CREATE TABLE IF NOT EXISTS {} (projection text PRIMARY KEY, "
                                      "target text NOT NULL UNIQUE, relation regclass NOT NULL, "
                                      "epoch bigint NOT NULL, adopted boolean NOT NULL, "
                                      "since timestamptz NOT NULL DEFAULT now())",
                                      projections_)));
  // Room on each page lets a moved place stay there, so that no index is written.
  SLUICE_PG_TRY(MakeTable(
      connection, positions_,
      fmt::format("CREATE TABLE IF NOT EXISTS {} "
                  "(projection text NOT NULL REFERENCES {} ON DELETE CASCADE, "
                  "lineage bigint NOT NULL, seq bigint NOT NULL, epoch bigint NOT NULL, "
                  "moved timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (projection, lineage)) "
                  "WITH (fillfactor = 50)",
                  positions_, projections_)));
  return MakeTable(connection, letters_, CreateLetterTable(letters_, projections_));
}

PgResult<std::optional<PgOwner>> PgLedger::LockOwner(PgConnection& connection) const {
  SLUICE_PG_ASSIGN(
      const PgRows found,
      connection.Ask(fmt::format("SELECT epoch, target, relation::oid::text, adopted FROM {} "
                                 "WHERE projection = $1 FOR NO KEY UPDATE",
                                 projections_),
                     {projection_}));
  if (found.rows.empty()) return std::optional<PgOwner>();
  const PgRow& row = found.rows.front();
  return std::optional<PgOwner>({.epoch = NumberOf(row[0]),
                                 .target = row[1].value_or(""),
                                 .oid = row[2].value_or(""),
                                 .adopted = row[3] == "t"});
}

PgResult<std::string> PgLedger::WriterOf(PgConnection& connection,
                                         const std::string& target) const {
  SLUICE_PG_ASSIGN(
      const PgRows found,
      connection.Ask(fmt::format("SELECT projection FROM {} WHERE target = $1", projections_),
                     {target}));
  return found.rows.empty() ? std::string() : found.rows.front()[0].value_or("");
}

PgResult<void> PgLedger::AddOwner(PgConnection& connection, const PgOwner& owner) const {
  PgResult<PgRows> added = connection.Ask(
      fmt::format("INSERT INTO {} (projection, target, relation, epoch, adopted) "
                  "VALUES ($1, $2, $3, $4, $5)",
                  projections_),
      {projection_, owner.target, owner.oid, Number(owner.epoch), owner.adopted ? "t" : "f"});
  if (added.has_value()) return {};
  PgFault fault = std::move(added).error();
  // Somebody else took the table in this moment; who opens again is told who.
  if (fault.kind == PgFault::Kind::kRefused) fault.kind = PgFault::Kind::kRace;
  return Fault(std::move(fault));
}

PgResult<void> PgLedger::RemoveOwner(PgConnection& connection) const {
  SLUICE_PG_TRY(connection.Ask(fmt::format("DELETE FROM {} WHERE projection = $1", projections_),
                               {projection_}));
  return {};
}

PgResult<Position> PgLedger::TakePlaces(PgConnection& connection, uint64_t epoch) const {
  const PgStatement statements[] = {
      {.sql = fmt::format("UPDATE {} SET epoch = $2 WHERE projection = $1 AND epoch <> $2",
                          projections_),
       .values = {projection_, Number(epoch)}},
      {.sql = fmt::format("SELECT lineage, seq FROM {} WHERE projection = $1 ORDER BY lineage "
                          "FOR UPDATE",
                          positions_),
       .values = {projection_}},
      {.sql = fmt::format("UPDATE {} SET epoch = $2 WHERE projection = $1 AND epoch <> $2",
                          positions_),
       .values = {projection_, Number(epoch)}},
  };
  SLUICE_PG_ASSIGN(const std::vector<PgRows> results, connection.Run(statements));
  return PositionOf(results[1]);
}

PgResult<Position> PgLedger::ReadPlaces(PgConnection& connection) const {
  SLUICE_PG_ASSIGN(const PgRows found,
                   connection.Ask(fmt::format("SELECT lineage, seq FROM {} WHERE projection = $1 "
                                              "AND to_regclass($2) = $3::oid",
                                              positions_),
                                  {projection_, table_, table_oid_}));
  return PositionOf(found);
}

PgStatement PgLedger::LockEpoch() const {
  return {.sql = fmt::format("SELECT epoch FROM {} WHERE projection = $1 FOR NO KEY UPDATE",
                             projections_),
          .values = {projection_},
          .name = "sluice_epoch"};
}

PgStatement PgLedger::MovePlaces(const Position& from, const Position& to, uint64_t epoch) const {
  SLUICE_CHECK(from.size() == to.size());
  PgArray lineages, before, after;
  for (size_t i = 0; i < to.size(); ++i) {
    lineages.AddNumber(static_cast<int64_t>(to[i].lineage.value));
    before.AddNumber(static_cast<int64_t>(from[i].seq.value));
    after.AddNumber(static_cast<int64_t>(to[i].seq.value));
  }
  return {.sql = fmt::format(
              "UPDATE {} AS p SET seq = m.after, moved = now() "
              "FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS m(lineage, before, after) "
              "WHERE p.projection = $1 AND p.lineage = m.lineage AND p.seq = m.before "
              "AND p.epoch = $5::bigint AND to_regclass($6) = $7::oid",
              positions_),
          .values = {projection_, lineages.Take(), before.Take(), after.Take(), Number(epoch),
                     table_, table_oid_},
          .name = "sluice_move"};
}

PgStatement PgLedger::AddPlaces(const Position& places, uint64_t epoch) const {
  PgArray lineages, seqs;
  for (const Place& place : places) {
    lineages.AddNumber(static_cast<int64_t>(place.lineage.value));
    seqs.AddNumber(static_cast<int64_t>(place.seq.value));
  }
  return {.sql = fmt::format("INSERT INTO {} (projection, lineage, seq, epoch) "
                             "SELECT $1, m.lineage, m.seq, $4::bigint "
                             "FROM unnest($2::bigint[], $3::bigint[]) AS m(lineage, seq) "
                             "ON CONFLICT DO NOTHING",
                             positions_),
          .values = {projection_, lineages.Take(), seqs.Take(), Number(epoch)},
          .name = "sluice_add_places"};
}

PgStatement PgLedger::RemovePlaces() const {
  return {.sql = fmt::format("DELETE FROM {} WHERE projection = $1", positions_),
          .values = {projection_}};
}

}  // namespace sluice::project
