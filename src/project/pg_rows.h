// PgRowWriter: changes become statements, a few for any number of rows.
//
// Rows that set the same columns go together, as arrays, one a column; PostgreSQL reads each value
// as the column's own type. Within a statement rows are in the order of their keys, so that two
// writers of one table seldom wait for each other in a circle.
//
// A column of which nothing is known is left as it is; one whose field is gone, or is not there in
// a hash that began anew, gets its default.
//
// Threads:  any; const.
// Bounds:   kPgValueBytesMax for one value; a longer one is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "project/pg_columns.h"
#include "project/pg_connection.h"
#include "project/pg_table.h"
#include "project/pg_text.h"
#include "project/sink.h"

namespace sluice::project {

inline constexpr size_t kPgValueBytesMax = size_t{256} << 20;  // the server takes 1 GiB, as hex too

class PgRowWriter {
 public:
  // `types` by the mapping's columns (FitPgTable).
  PgRowWriter(PgMapping mapping, std::vector<PgColumnType> types, std::string quoted_table,
              bool delete_expired)
      : mapping_(std::move(mapping)),
        types_(std::move(types)),
        table_(std::move(quoted_table)),
        delete_expired_(delete_expired) {}

  // Why the table cannot hold the change, as far as can be told without asking it.
  std::optional<std::string> WhyRefused(const Change& change) const;

  // Requires: WhyRefused says nothing of any of them, and they are of different keys.
  std::vector<PgStatement> Statements(std::span<const Change* const> changes) const;
  // Whether the server would take such statements: planned and its rights checked, not executed.
  std::vector<PgStatement> Probes() const;

  // One row for each of `changes` that is not as it says (kDeleted: that is there at all): its
  // number, counted from 1, whether there is a row, and then for each of ComparedColumns() what
  // there is, what should be, and whether they differ.
  PgStatement Comparison(std::span<const Change* const> changes) const;
  std::vector<std::string> ComparedColumns() const;

  // The key columns of the next `most` rows, in their order, and behind them, if `whole`, all
  // others that are part of the state; `behind`: those of the last one known, as they were printed,
  // or empty.
  PgStatement RowsBehind(const std::vector<std::optional<std::string>>& behind, size_t most,
                         bool whole) const;
  // Such a row's key, and all of a whole one.
  RowKey KeyOf(const PgRow& row) const;
  Row RowOf(const PgRow& row) const;
  // One row: whether a row's key has a NULL in it. Such a row is no key's.
  PgStatement FindNullKey() const;

 private:
  enum class Part : char { kValue = 'v', kDefault = 'd', kUntouched = '-' };

  bool Deletes(const Change& change) const;
  bool Writes(const Change& change) const;
  std::optional<std::string> WhyKindRefused(const Change& change) const;
  std::optional<std::string> WhyKeyRefused(size_t column, std::string_view text) const;
  Part PartOf(const PgColumn& column, const Change& change) const;
  std::string SignatureOf(const Change& change) const;
  void AddValue(size_t column, const Change& change, PgArray& array) const;
  std::string ArrayType(size_t column) const { return types_[column].element + "[]"; }
  std::string UpsertSql(std::string_view signature) const;
  std::string DeleteSql() const;
  std::vector<size_t> ComparedNumbers() const;

  const PgMapping mapping_;
  const std::vector<PgColumnType> types_;
  const std::string table_;
  const bool delete_expired_;
};

}  // namespace sluice::project
