#include "project/pg_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "config/nearest.h"
#include "project/pg_text.h"

namespace sluice::project {
namespace {

using Kind = PgSource::Kind;

const std::string& Text(const std::optional<std::string>& value) {
  SLUICE_CHECK(value.has_value());
  return *value;
}

bool Yes(const std::optional<std::string>& value) {
  return value == "t";
}

std::string QuotedPathOf(const std::string& schema, const std::string& name) {
  return schema.empty() ? QuotedName(name) : QuotedName(schema) + "." + QuotedName(name);
}

PgFault Misfit(std::string message) {
  return {PgFault::Kind::kMisfit, "", std::move(message), 0};
}

// relkind, relpersistence, relhasrules
PgResult<void> CheckKind(const std::string& path, const PgRow& row) {
  const std::string& kind = Text(row[3]);
  if (kind != "r" && kind != "p") {
    return Fault(
        Misfit(fmt::format("table: {} is no table of this server (a view or a foreign "
                           "one)",
                           path)));
  }
  if (Text(row[4]) == "u") {
    return Fault(
        Misfit(fmt::format("table: {0} is unlogged: PostgreSQL empties it after a crash; "
                           "ALTER TABLE {0} SET LOGGED",
                           path)));
  }
  if (Text(row[4]) == "t") {
    return Fault(Misfit(fmt::format("table: {} is temporary", path)));
  }
  if (Yes(row[5])) {
    return Fault(
        Misfit(fmt::format("table: {} has rules (CREATE RULE), with which rows cannot be "
                           "upserted",
                           path)));
  }
  return {};
}

PgResult<void> ReadColumns(PgConnection& connection, const std::string& oid, PgTable& table) {
  SLUICE_PG_ASSIGN(
      const PgRows columns,
      connection.Ask(
          "SELECT a.attname::text, format_type(a.atttypid, -1), format_type(a.atttypid, NULL), "
          "format_type(a.atttypid, a.atttypmod), a.attnotnull, "
          "a.atthasdef OR a.attidentity <> '', a.attgenerated <> '', a.attidentity = 'a', "
          "t.typarray <> 0 AND t.typtype IN ('b', 'd', 'e', 'r') AND t.typdelim = ',' "
          "AND t.typcategory <> 'A', coalesce(co.collisdeterministic, true), t.typcategory::text "
          "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
          "LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation "
          "WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
          {oid}));
  for (const PgRow& row : columns.rows) {
    table.columns.push_back({.name = Text(row[0]),
                             .element = Text(row[1]),
                             .type = Text(row[2]),
                             .declared = Text(row[3]),
                             .not_null = Yes(row[4]),
                             .has_default = Yes(row[5]),
                             .generated = Yes(row[6]),
                             .always_identity = Yes(row[7]),
                             .in_arrays = Yes(row[8]),
                             .deterministic = Yes(row[9]),
                             .category = Text(row[10]).front()});
  }
  return {};
}

PgResult<void> ReadIndexes(PgConnection& connection, const std::string& oid, PgTable& table) {
  SLUICE_PG_ASSIGN(
      const PgRows indexes,
      connection.Ask(
          "SELECT c.relname::text, i.indisunique AND i.indisvalid AND i.indimmediate "
          "AND i.indpred IS NULL AND i.indexprs IS NULL, "
          "ARRAY(SELECT a.attname::text "
          "FROM unnest((string_to_array(i.indkey::text, ' ')::int2[])[1:i.indnkeyatts]) "
          "WITH ORDINALITY k(attnum, n) JOIN pg_catalog.pg_attribute a "
          "ON a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY n)::text "
          "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
          "WHERE i.indrelid = $1::oid ORDER BY 1",
          {oid}));
  for (const PgRow& row : indexes.rows) {
    PgIndex& index = table.indexes.emplace_back();
    index.name = Text(row[0]);
    index.decides = Yes(row[1]);
    PgElements columns = ParsePgArray(Text(row[2]));
    SLUICE_CHECK(columns.has_value());
    for (auto& column : *columns) index.columns.push_back(column.value_or(""));
  }
  return {};
}

PgResult<void> ReadAttached(PgConnection& connection, const std::string& oid, PgTable& table) {
  SLUICE_PG_ASSIGN(const PgRows keys,
                   connection.Ask("SELECT conname::text, conrelid = $1::oid, "
                                  "conrelid::regclass::text, confrelid::regclass::text "
                                  "FROM pg_catalog.pg_constraint WHERE contype = 'f' "
                                  "AND (conrelid = $1::oid OR confrelid = $1::oid) ORDER BY 1",
                                  {oid}));
  for (const PgRow& row : keys.rows) {
    if (Yes(row[1])) {
      table.foreign_keys.push_back(
          fmt::format("{} (a look into {} for each row)", Text(row[0]), Text(row[3])));
    } else {
      table.referenced_by.push_back(fmt::format("{} of {}", Text(row[0]), Text(row[2])));
    }
  }
  SLUICE_PG_ASSIGN(const PgRows triggers,
                   connection.Ask("SELECT tgname::text, tgtype & 1 = 1 "
                                  "FROM pg_catalog.pg_trigger WHERE tgrelid = $1::oid "
                                  "AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY 1",
                                  {oid}));
  for (const PgRow& row : triggers.rows) {
    (Yes(row[1]) ? table.row_triggers : table.statement_triggers).push_back(Text(row[0]));
  }
  return {};
}

const PgTableColumn* FindColumn(const PgTable& table, const std::string& name) {
  const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](const PgTableColumn& column) { return column.name == name; });
  return found == table.columns.end() ? nullptr : &*found;
}

Result<PgColumnType::Key> KeyForm(const PgTableColumn& column) {
  using Key = PgColumnType::Key;
  const std::string& type = column.type;
  if ((type == "text" || type == "character varying") && column.deterministic) {
    // A text that is too long by blanks only would be cut to another's.
    return column.declared == type ? Key::kAnyText : Key::kPaddedText;
  }
  if (type == "bigint" || type == "integer" || type == "smallint") return Key::kInteger;
  if (type == "uuid") return Key::kUuid;
  if (type == "date") return Key::kDate;
  if (type == "bytea") return Key::kBytes;
  return Fail(Code::kInvalid,
              fmt::format("key: column {} is {}, of which one value can be written in several "
                          "ways, so that two keys could share a row; make it text, varchar, "
                          "smallint, integer, bigint, uuid, date or bytea",
                          column.name, column.declared));
}

Result<PgColumnType> FitColumn(const PgTable& table, const PgMapping& mapping,
                               const PgColumn& column, bool in_key) {
  const auto wrong = [&](std::string_view what) {
    return Fail(Code::kInvalid, fmt::format("columns: {} of {} {}", column.name, table.name, what));
  };
  const PgTableColumn* found = FindColumn(table, column.name);
  if (found == nullptr) {
    std::vector<std::string_view> names;
    for (const auto& other : table.columns) names.push_back(other.name);
    const std::string hint = names.empty() ? "it has none" : config::Suggest(column.name, names);
    return Fail(Code::kInvalid,
                fmt::format("columns: {} has no column {}: {}", table.name, column.name, hint));
  }
  if (found->generated || found->always_identity) return wrong("is generated: leave it out");
  if (!found->in_arrays) return wrong(fmt::format("is {}, which cannot be sent", found->declared));
  PgColumnType type{
      .element = found->element, .declared = found->declared, .has_default = found->has_default};
  const bool number = found->category == 'N';
  if (mapping.AddsUp(column) && !number) {
    return wrong(
        fmt::format("is {}; numbers are added to it, so it must be a number", found->declared));
  }
  if (column.source.kind == Kind::kTime) {
    if (!number && found->category != 'D' && found->category != 'S') {
      return wrong(fmt::format("is {}; time needs timestamptz, timestamp, bigint (ms) or text",
                               found->declared));
    }
    type.form = number ? PgColumnType::Form::kMs : PgColumnType::Form::kTime;
  } else if (found->type == "bytea") {
    type.form = PgColumnType::Form::kBytes;
  }
  if (in_key) {
    SLUICE_ASSIGN(type.key, KeyForm(*found));
  }
  return type;
}

std::vector<std::string> NamesOf(const PgMapping& mapping, size_t first, size_t end) {
  std::vector<std::string> names;
  for (size_t i = first; i < end; ++i) names.push_back(mapping.columns[i].name);
  return names;
}

bool HasDecidingIndex(const PgTable& table, const std::set<std::string>& key) {
  return std::any_of(table.indexes.begin(), table.indexes.end(), [&](const PgIndex& index) {
    return index.decides &&
           std::set<std::string>(index.columns.begin(), index.columns.end()) == key;
  });
}

}  // namespace

std::string PgTable::QuotedPath() const {
  return QuotedPathOf(schema, name);
}

PgResult<std::optional<PgTable>> ReadPgTable(PgConnection& connection, const PgTableName& name) {
  SLUICE_PG_ASSIGN(
      const PgRows found,
      connection.Ask("SELECT c.oid::text, n.nspname::text, c.relname::text, c.relkind::text, "
                     "c.relpersistence::text, c.relhasrules, c.relrowsecurity, "
                     "current_setting('fsync') "
                     "FROM pg_catalog.pg_class c "
                     "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                     "WHERE c.oid = to_regclass($1)",
                     {QuotedPathOf(name.schema, name.table)}));
  if (found.rows.empty()) return std::optional<PgTable>();
  const PgRow& row = found.rows.front();
  PgTable table;
  table.oid = Text(row[0]);
  table.schema = Text(row[1]);
  table.name = Text(row[2]);
  table.row_security = Yes(row[6]);
  table.server_syncs = Text(row[7]) == "on";
  SLUICE_PG_TRY(CheckKind(table.schema + "." + table.name, row));
  SLUICE_PG_TRY(ReadColumns(connection, table.oid, table));
  SLUICE_PG_TRY(ReadIndexes(connection, table.oid, table));
  SLUICE_PG_TRY(ReadAttached(connection, table.oid, table));
  SLUICE_PG_ASSIGN(const PgRows rows, connection.Ask(fmt::format("SELECT EXISTS (SELECT FROM {})",
                                                                 table.QuotedPath())));
  table.empty = !Yes(rows.rows.front()[0]);
  return std::optional<PgTable>(std::move(table));
}

Result<std::vector<PgColumnType>> FitPgTable(const PgTable& table, const PgMapping& mapping) {
  std::vector<PgColumnType> types;
  for (size_t i = 0; i < mapping.columns.size(); ++i) {
    SLUICE_ASSIGN(PgColumnType type,
                  FitColumn(table, mapping, mapping.columns[i], i < mapping.key_columns));
    types.push_back(std::move(type));
  }
  const std::vector<std::string> key = NamesOf(mapping, 0, mapping.key_columns);
  if (!HasDecidingIndex(table, {key.begin(), key.end()})) {
    std::vector<std::string> quoted;
    for (const std::string& name : key) quoted.push_back(QuotedName(name));
    return Fail(
        Code::kInvalid,
        fmt::format("key: {} has no unique index on exactly ({}); CREATE UNIQUE INDEX ON "
                    "{} ({})",
                    table.name, fmt::join(key, ", "), table.QuotedPath(), fmt::join(quoted, ", ")));
  }
  const std::vector<std::string> mapped = NamesOf(mapping, 0, mapping.columns.size());
  for (const PgTableColumn& column : table.columns) {
    const bool is_mapped = std::find(mapped.begin(), mapped.end(), column.name) != mapped.end();
    if (!is_mapped && column.not_null && !column.has_default && !column.generated) {
      return Fail(
          Code::kInvalid,
          fmt::format("columns: {0} of {1} must not be NULL, has no default and gets no "
                      "value, so that no row could be added; map it, or ALTER TABLE {2} "
                      "ALTER COLUMN {3} SET DEFAULT …",
                      column.name, table.name, table.QuotedPath(), QuotedName(column.name)));
    }
  }
  return types;
}

std::vector<std::string> PgTableNotes(const PgTable& table, const PgMapping& mapping) {
  std::vector<std::string> notes;
  const std::vector<std::string> key = NamesOf(mapping, 0, mapping.key_columns);
  const std::vector<std::string> rest =
      NamesOf(mapping, mapping.key_columns, mapping.columns.size());
  const std::set<std::string> key_set(key.begin(), key.end());
  bool decided = false;
  for (const PgIndex& index : table.indexes) {
    const std::set<std::string> columns(index.columns.begin(), index.columns.end());
    if (!decided && index.decides && columns == key_set) {
      decided = true;
      continue;
    }
    const auto changes = std::find_if(
        rest.begin(), rest.end(), [&](const std::string& name) { return columns.contains(name); });
    notes.push_back(changes == rest.end()
                        ? fmt::format("index {} is written for each new row", index.name)
                        : fmt::format("index {} is written for each changed row, as {} is in it",
                                      index.name, *changes));
  }
  for (const auto& text : table.foreign_keys) notes.push_back("foreign key " + text);
  for (const auto& text : table.referenced_by) {
    notes.push_back(
        fmt::format("foreign key {}: deleting a row looks for rows that name it", text));
  }
  for (const auto& name : table.row_triggers) {
    notes.push_back(fmt::format("trigger {} runs for each row", name));
  }
  for (const auto& name : table.statement_triggers) {
    notes.push_back(fmt::format("trigger {} runs once or more a batch", name));
  }
  if (table.row_security) notes.push_back("row security policies are checked for each row");
  if (!table.server_syncs) {
    notes.push_back("the server's fsync is off: a crash of it may damage what it holds");
  }
  return notes;
}

std::string CreatePgTable(const PgTableName& name, const PgMapping& mapping) {
  std::vector<std::string> lines, key;
  for (size_t i = 0; i < mapping.columns.size(); ++i) {
    const PgColumn& column = mapping.columns[i];
    std::string type = column.source.type;
    if (type.empty()) {
      type = column.source.kind == Kind::kTime ? "timestamptz"
             : mapping.AddsUp(column)          ? "bigint"
                                               : "text";
    }
    lines.push_back(QuotedName(column.name) + " " + type);
    if (i < mapping.key_columns) key.push_back(QuotedName(column.name));
  }
  return fmt::format("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))",
                     QuotedPathOf(name.schema, name.table), fmt::join(lines, ", "),
                     fmt::join(key, ", "));
}

}  // namespace sluice::project
