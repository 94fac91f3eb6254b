// Columns: what is learnt of the columns of many rows, read once, in bounded memory.
//
//   Add()     takes a row.
//   Fact()    says what is known of a column by now.
//   sample()  some of the rows, in the order in which they came.
//
// Owns:     copies of what it keeps.
// Threads:  none.
// Bounds:   kColumnsMost columns (those beyond are not looked at), kValuesMax counted values of all
//           columns together, RowSample's rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/values.h"

namespace sluice::plan {

inline constexpr size_t kColumnsMost = 64;
inline constexpr size_t kValuesMax = 1 << 20;

// Every n-th row, in order; n doubles when there is no more room.
class RowSample {
 public:
  static constexpr size_t kRowsMax = 1 << 16;
  static constexpr size_t kBytesMax = 64 << 20;
  static constexpr size_t kCellMax = 256;  // a longer value is cut

  struct Row {
    std::string text;
    std::vector<uint32_t> ends;

    std::string_view cell(size_t column) const {
      if (column >= ends.size()) return {};
      const uint32_t begin = column == 0 ? 0 : ends[column - 1];
      return std::string_view(text).substr(begin, ends[column] - begin);
    }
  };

  void Add(std::span<const std::string_view> cells);
  const std::vector<Row>& rows() const { return rows_; }
  uint64_t stride() const { return stride_; }

 private:
  std::vector<Row> rows_;
  uint64_t seen_ = 0, stride_ = 1;
  size_t bytes_ = 0;
};

enum class Kind : uint8_t { kText, kNumber, kDecimal, kTime };

// "text", "number", "decimal", "time".
std::string_view NameOf(Kind kind);

// Whether the text is a date, or a date and a time of day, as people and programs write them.
bool IsTime(std::string_view text);
// Whether a whole number could be a time: seconds, ms, us or ns since 1970 from 2000 to 2100, or a
// day written as 20240131. Names and order must say the rest.
bool CouldBeTime(std::string_view digits);
// Whether a column's name says that it holds times.
bool NamesTime(std::string_view name);

struct ColumnFact {
  uint64_t rows = 0, empty = 0;
  double distinct = 0;
  bool exact = true;  // else distinct is an estimate, good to some percent
  double once = 0;    // how many values came once only; an estimate where distinct is one
  uint64_t top_count = 0;
  std::string top_value;
  Kind kind = Kind::kText;
  bool could_be_time = false;  // whole numbers that may be times
  std::string time_unit;       // of times: "day", "hour", "minute", "second" or finer, as written
  double mean_bytes = 0;
  bool sentences = false;  // most values hold blanks and are long: text that somebody wrote
  bool colons = false;     // some value holds ':'
  bool words = false;      // nearly all are letters, and not yes or no: they may name something
  bool codes = false;      // nearly all are two capital letters, as countries are
};

class Columns {
 public:
  // `cells`: by column; rows may be shorter, and later ones longer.
  void Add(std::span<const std::string_view> cells);

  size_t count() const { return values_.size(); }
  uint64_t rows() const { return rows_; }
  const RowSample& sample() const { return sample_; }
  ColumnFact Fact(size_t column) const;
  const Groups& groups(size_t column) const { return groups_[column]; }

 private:
  RowSample sample_;
  std::vector<Values> values_;
  std::vector<Groups> groups_;
  std::vector<uint64_t> hashes_;  // of the row at hand
  uint64_t rows_ = 0;
  size_t held_ = 0;  // counted values of all columns
};

// As Columns counts them. Never 0, which stands for an empty value.
uint64_t HashOfValue(std::string_view value);

}  // namespace sluice::plan
