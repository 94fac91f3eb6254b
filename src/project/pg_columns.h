// Which column of a table takes what of a key: `columns` and `key` of a projection, read and
// checked.
//
//   "{post_id}"      a segment of the key's template
//   "{key}"          the whole key
//   "value"          the string or counter
//   "amount"         a field of the hash; "field(value)" where its name is one of these words
//   "time"           when the key was last written
//   "writes"         how many client writes there were; always added up
//   "value::bigint"  any of them with a type: what `create` makes, what an existing table must have
//
// Threads:  any; plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "config/config.h"

namespace sluice::project {

inline constexpr size_t kPgColumnsMax = 256;    // of one projection; one more is an error
inline constexpr size_t kPgTypeBytesMax = 128;  // of a type behind "::"

struct PgSinkOptions;

struct PgSource {
  enum class Kind : uint8_t { kSegment, kKey, kValue, kField, kTime, kWrites };
  Kind kind = Kind::kValue;
  size_t segment = 0;  // kSegment
  std::string field;   // kField
  std::string type;    // behind "::"; empty: none was said
};

struct PgColumn {
  std::string name;
  PgSource source;
};

struct PgMapping {
  std::vector<PgColumn> columns;  // those of the key first, in its order
  size_t key_columns = 0;
  config::ProjectionMode mode = config::ProjectionMode::kSet;
  bool has_value = false, has_fields = false;  // whether strings, and hashes, have columns

  // Whether the column gets increments and not values.
  bool AddsUp(const PgColumn& column) const;
};

// kInvalid: an unknown segment, an empty or doubled name, a key column that is no column or no part
// of the key, a key that leaves a segment out, nothing to add in mode "add". The message names the
// setting.
Result<PgMapping> ParsePgMapping(const PgSinkOptions& options);

// "schema.table" or "table", as written, in pieces; schema may be empty.
struct PgTableName {
  std::string schema, table;
};
Result<PgTableName> ParsePgTableName(const std::string& text);

}  // namespace sluice::project
