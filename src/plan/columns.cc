#include "plan/columns.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::plan {
namespace {

constexpr size_t kSentenceBytes = 32;
constexpr double kNearlyAll = 0.98;  // a stray value makes no other kind

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

uint64_t NumberOf(std::string_view digits) {
  uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

bool IsWhole(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() <= 20 && AllDigits(text);
}

bool IsDecimal(std::string_view text) {
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  return end == text.data() + text.size() && text.find_first_of(".eE") != std::string_view::npos;
}

bool IsDay(uint64_t year, uint64_t month, uint64_t day) {
  return year >= 1900 && year <= 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

// Letters of any script, with what stands between the words of a name.
bool IsWord(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 128;
  };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || c == ' ' || c == '-' || c == '_';
  });
}

bool IsFlag(std::string_view text) {
  const std::string lower = Lower(text);
  constexpr std::array<std::string_view, 10> kFlags = {"true", "false", "yes", "no", "t",
                                                       "f",    "y",     "n",   "on", "off"};
  return std::find(kFlags.begin(), kFlags.end(), lower) != kFlags.end();
}

// How fine the times of a column are written.
std::string_view UnitOf(std::string_view time) {
  const size_t colons = static_cast<size_t>(std::count(time.begin(), time.end(), ':'));
  if (AllDigits(time)) return time.size() == 8 ? "day" : time.size() == 10 ? "second" : "tick";
  if (time.find_first_of(".,", 11) != std::string_view::npos && colons > 0) return "tick";
  return colons == 0 ? "day" : colons == 1 ? "minute" : "second";
}

// Counts of what values look like.
struct Looks {
  size_t all = 0, whole = 0, decimal = 0, time = 0, could = 0, sentences = 0, colons = 0, codes = 0;
  size_t words = 0, flags = 0;
  size_t bytes = 0;

  void Take(std::string_view value) {
    ++all;
    bytes += value.size();
    const bool is_whole = IsWhole(value);
    whole += is_whole;
    decimal += !is_whole && IsDecimal(value);
    time += !is_whole && IsTime(value);
    could += is_whole && CouldBeTime(value);
    sentences += value.size() >= kSentenceBytes && value.find(' ') != std::string_view::npos;
    colons += value.find(':') != std::string_view::npos;
    words += IsWord(value);
    flags += IsFlag(value);
    codes += value.size() == 2 &&
             std::all_of(value.begin(), value.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  }
  bool Nearly(size_t count) const {
    return all > 0 && static_cast<double>(count) >= kNearlyAll * static_cast<double>(all);
  }
};

}  // namespace

uint64_t HashOfValue(std::string_view value) {
  const uint64_t hash = XXH3_64bits(value.data(), value.size());
  return hash == 0 ? 1 : hash;
}

std::string_view NameOf(Kind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"text", "number", "decimal", "time"};
  return kNames[static_cast<size_t>(kind)];
}

bool IsTime(std::string_view text) {
  std::array<uint64_t, 3> parts;
  std::array<size_t, 3> digits;
  size_t at = 0;
  for (size_t i = 0; i < 3; ++i) {
    const size_t begin = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    digits[i] = at - begin;
    if (digits[i] == 0 || digits[i] > 4) return false;
    parts[i] = NumberOf(text.substr(begin, digits[i]));
    if (i < 2) {
      if (at == text.size() || std::string_view("-/.").find(text[at]) == std::string_view::npos) {
        return false;
      }
      ++at;
    }
  }
  const bool year_first = digits[0] == 4 && IsDay(parts[0], parts[1], parts[2]);
  const bool year_last = digits[2] == 4 && (IsDay(parts[2], parts[1], parts[0]) ||
                                            IsDay(parts[2], parts[0], parts[1]));
  if (!year_first && !year_last) return false;
  const std::string_view rest = text.substr(at);
  return rest.empty() ||
         ((rest[0] == 'T' || rest[0] == ' ') && rest.size() >= 3 && IsDigit(rest[1]) &&
          rest.find_first_not_of("0123456789:.,+-TZ APMapm") == std::string_view::npos);
}

bool CouldBeTime(std::string_view digits) {
  if (!AllDigits(digits)) return false;
  const uint64_t number = NumberOf(digits);
  if (digits.size() == 8) return IsDay(number / 10'000, number / 100 % 100, number % 100);
  constexpr uint64_t kFrom = 946'684'800, kTo = 4'102'444'800;  // 2000 to 2100
  for (const auto& [size, per_second] :
       {std::pair<size_t, uint64_t>{10, 1}, {13, 1'000}, {16, 1'000'000}, {19, 1'000'000'000}}) {
    if (digits.size() == size) return number / per_second >= kFrom && number / per_second < kTo;
  }
  return false;
}

bool NamesTime(std::string_view name) {
  const std::string lower = Lower(name);
  for (const std::string_view word :
       {"time", "date", "day", "hour", "month", "created", "updated"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return lower == "ts" || lower == "at" || lower.ends_with("_ts") || lower.ends_with("_at") ||
         name.ends_with("At");
}

void RowSample::Add(std::span<const std::string_view> cells) {
  if (seen_++ % stride_ != 0) return;
  Row row;
  for (const std::string_view cell : cells) {
    row.text += cell.substr(0, kCellMax);
    row.ends.push_back(static_cast<uint32_t>(row.text.size()));
  }
  const auto size_of = [](const Row& one) {
    return sizeof(Row) + one.text.size() + one.ends.size() * sizeof(uint32_t);
  };
  bytes_ += size_of(row);
  rows_.push_back(std::move(row));
  // A single row is within the bounds: kColumnsMost cells of kCellMax.
  while (rows_.size() > kRowsMax || bytes_ > kBytesMax) {
    stride_ *= 2;
    size_t kept = 0;
    bytes_ = 0;
    for (size_t i = 0; i < rows_.size(); i += 2) {
      if (kept != i) rows_[kept] = std::move(rows_[i]);
      bytes_ += size_of(rows_[kept++]);
    }
    rows_.resize(kept);
  }
}

void Columns::Add(std::span<const std::string_view> cells) {
  cells = cells.first(std::min(cells.size(), kColumnsMost));
  ++rows_;
  if (cells.size() > values_.size()) {
    values_.resize(cells.size());
    groups_.resize(cells.size());
  }
  hashes_.assign(values_.size(), 0);
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;
    hashes_[i] = HashOfValue(cells[i].substr(0, RowSample::kCellMax));
    held_ -= values_[i].held();
    values_[i].Add(hashes_[i]);
    held_ += values_[i].held();
  }
  for (size_t i = 0; i < hashes_.size(); ++i) {
    if (hashes_[i] != 0) groups_[i].Add(hashes_[i], hashes_);
  }
  while (held_ > kValuesMax) {
    const auto most =
        std::max_element(values_.begin(), values_.end(),
                         [](const Values& a, const Values& b) { return a.held() < b.held(); });
    held_ -= most->held();
    most->Halve();
    held_ += most->held();
  }
  sample_.Add(cells);
}

ColumnFact Columns::Fact(size_t column) const {
  const Values& values = values_[column];
  const Values::Top top = values.top();
  ColumnFact fact;
  fact.rows = rows_;
  fact.empty = rows_ - values.rows();
  fact.distinct = std::min(values.distinct(), static_cast<double>(values.rows()));
  fact.exact = values.exact();
  fact.once = values.once();
  fact.top_count = top.count;
  Looks looks;
  std::string_view example;
  for (const RowSample::Row& row : sample_.rows()) {
    const std::string_view value = row.cell(column);
    if (value.empty()) continue;
    looks.Take(value);
    if (example.size() < value.size()) example = value;
    if (fact.top_value.empty() && HashOfValue(value) == top.hash) fact.top_value = value;
  }
  if (looks.Nearly(looks.time)) {
    fact.kind = Kind::kTime;
  } else if (looks.Nearly(looks.whole)) {
    fact.kind = Kind::kNumber;
  } else if (looks.Nearly(looks.whole + looks.decimal)) {
    fact.kind = Kind::kDecimal;
  }
  fact.could_be_time = looks.Nearly(looks.could);
  if (fact.kind == Kind::kTime || fact.could_be_time) fact.time_unit = UnitOf(example);
  if (looks.all > 0) {
    fact.mean_bytes = static_cast<double>(looks.bytes) / static_cast<double>(looks.all);
  }
  fact.sentences = 2 * looks.sentences > looks.all;
  fact.colons = looks.colons > 0;
  fact.words = looks.Nearly(looks.words) && !looks.Nearly(looks.flags);
  fact.codes = looks.Nearly(looks.codes);
  return fact;
}

}  // namespace sluice::plan
