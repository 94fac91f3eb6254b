#include "project/pg_text.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/number.h"
#include "base/text.h"

namespace sluice::project {
namespace {

// How many bytes the code point at the front takes; 0: it is none.
size_t CodePointBytes(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return first == 0 ? 0 : 1;
  size_t size = 0;
  uint8_t least = 0x80, most = 0xbf;  // of the second byte
  if (first >= 0xc2 && first <= 0xdf) {
    size = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    size = 3;
    if (first == 0xe0) least = 0xa0;  // else it would be shorter
    if (first == 0xed) most = 0x9f;   // surrogates
  } else if (first >= 0xf0 && first <= 0xf4) {
    size = 4;
    if (first == 0xf0) least = 0x90;
    if (first == 0xf4) most = 0x8f;  // past U+10FFFF
  } else {
    return 0;
  }
  if (bytes.size() < size || at(1) < least || at(1) > most) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (at(i) < 0x80 || at(i) > 0xbf) return 0;
  }
  return size;
}

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string QuotedName(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

bool IsPgText(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = CodePointBytes(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

void PgArray::Add(std::string_view text) {
  Begin();
  text_.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') text_.push_back('\\');
    text_.push_back(c);
  }
  text_.push_back('"');
}

void PgArray::AddBytes(std::string_view bytes) {
  Begin();
  text_ += "\"\\\\x" + Hex(bytes) + "\"";
}

void PgArray::AddNumber(int64_t number) {
  Begin();
  char digits[kIntCharsMax];
  text_.append(digits, StoreInt(digits, number));
}

void PgArray::AddNull() {
  Begin();
  text_ += "NULL";
}

std::string PgArray::Take() {
  if (text_.empty()) text_.push_back('{');
  text_.push_back('}');
  return std::exchange(text_, {});
}

PgElements ParsePgArray(std::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
  text.remove_prefix(1);
  text.remove_suffix(1);
  PgElements elements(std::in_place);
  size_t i = 0;
  while (i < text.size()) {
    std::string element;
    const bool quoted = text[i] == '"';
    if (quoted) ++i;
    while (i < text.size() && text[i] != (quoted ? '"' : ',')) {
      if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
      element.push_back(text[i++]);
    }
    if (quoted && i++ == text.size()) return std::nullopt;
    if (!quoted && element == "NULL") {
      elements->emplace_back();
    } else {
      elements->emplace_back(std::move(element));
    }
    if (i < text.size() && text[i++] != ',') return std::nullopt;
  }
  return elements;
}

std::optional<std::string> ParsePgBytes(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 2; i < text.size(); i += 2) {
    const int high = DigitOf(text[i]), low = DigitOf(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::string PgBytes(std::string_view bytes) {
  return "\\x" + Hex(bytes);
}

std::string PgTime(uint64_t ms) {
  using std::chrono::days;
  using std::chrono::milliseconds;
  const std::chrono::sys_time<milliseconds> time{milliseconds(ms)};
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const uint64_t rest = static_cast<uint64_t>((time - day).count());
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}+00", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

}  // namespace sluice::project
