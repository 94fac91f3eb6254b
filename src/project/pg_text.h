// Text as PostgreSQL reads it: names, arrays, bytes, times. And what it will not read.
//
// Threads:  any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::project {

inline constexpr size_t kPgNameBytesMax = 63;  // of a table, a column; the server cuts longer ones

// "name", with its quotes doubled.
std::string QuotedName(std::string_view name);

// Valid UTF-8 without a zero byte: all that a text of PostgreSQL can hold.
bool IsPgText(std::string_view bytes);

// The literal of an array, built element by element: {"a","\\x6162",NULL}.
class PgArray {
 public:
  void Add(std::string_view text);
  void AddBytes(std::string_view bytes);  // as a bytea
  void AddNumber(int64_t number);
  void AddNull();

  size_t bytes() const { return text_.size(); }
  std::string Take();

 private:
  void Begin() { text_.push_back(text_.empty() ? '{' : ','); }

  std::string text_;
};

// The elements of an array that the server printed, one dimension, each with or without quotes.
// Nothing: it is none.
using PgElements = std::optional<std::vector<std::optional<std::string>>>;
PgElements ParsePgArray(std::string_view text);

// "\x6162" → "ab". Nothing: it is no bytea as the server prints it.
std::optional<std::string> ParsePgBytes(std::string_view text);
std::string PgBytes(std::string_view bytes);

// Milliseconds since 1970 as "2024-05-01 12:00:00.123+00".
std::string PgTime(uint64_t ms);

}  // namespace sluice::project
