// PgTable: what a table turned out to be, and whether a projection's columns fit it.
//
//   ReadPgTable()   the catalogue's word on a table: columns, keys, what is attached to it.
//   FitPgTable()    the types of a projection's columns, or what to mend.
//   CreatePgTable() the statement that makes one that fits.
//
// Threads:  any; FitPgTable and CreatePgTable are pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "project/pg_columns.h"
#include "project/pg_connection.h"

namespace sluice::project {

struct PgTableColumn {
  std::string name;
  std::string element;   // the type that arrays of values are cast to: without length or precision
  std::string type;      // without them, as pg_typeof prints it
  std::string declared;  // with them
  bool not_null = false;
  bool has_default = false;  // identity columns too
  bool generated = false;    // nobody may write it
  bool always_identity = false;
  bool in_arrays = false;     // values of it can be sent in arrays
  bool deterministic = true;  // different texts are never equal
  char category = ' ';        // pg_type.typcategory
};

struct PgIndex {
  std::string name;
  std::vector<std::string> columns;
  bool decides = false;  // unique, whole, valid and checked at once: ON CONFLICT may name it
};

struct PgTable {
  std::string schema, name;
  std::string oid;  // another table of the same name has another
  bool empty = true;
  std::vector<PgTableColumn> columns;
  std::vector<PgIndex> indexes;
  std::vector<std::string> foreign_keys;   // what each checks, for people
  std::vector<std::string> referenced_by;  // tables whose foreign keys point here
  std::vector<std::string> row_triggers, statement_triggers;
  bool row_security = false;
  bool server_syncs = true;  // its fsync is on

  std::string QuotedPath() const;
};

// Nothing when there is no such table. kMisfit when it is there and is none that rows can be
// written to and kept: a view, a foreign table, an unlogged or temporary one, one with rules.
PgResult<std::optional<PgTable>> ReadPgTable(PgConnection& connection, const PgTableName& name);

// How a value gets into its column.
struct PgColumnType {
  enum class Form : uint8_t { kText, kBytes, kTime, kMs };
  // How a key's part may be written, so that no two keys have one row.
  enum class Key : uint8_t { kAnyText, kPaddedText, kInteger, kUuid, kDate, kBytes };
  std::string element;
  std::string declared;
  bool has_default = false;
  Form form = Form::kText;
  Key key = Key::kAnyText;  // of key columns
};

// By the mapping's columns. kInvalid names the column or setting and the fix.
Result<std::vector<PgColumnType>> FitPgTable(const PgTable& table, const PgMapping& mapping);

// What makes each batch slower, for people.
std::vector<std::string> PgTableNotes(const PgTable& table, const PgMapping& mapping);

std::string CreatePgTable(const PgTableName& name, const PgMapping& mapping);

}  // namespace sluice::project
