#include "cli/load_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

// Commands whose order among themselves shows in no result.
constexpr std::array<std::string_view, 7> kCommutative = {"INCR",    "DECR", "INCRBY", "DECRBY",
                                                          "HINCRBY", "SADD", "PFADD"};
// Commands with several keys; the others' one key is their first argument.
constexpr std::array<std::string_view, 2> kKeyValuePairs = {"MSET", "MSETNX"};
constexpr std::array<std::string_view, 5> kAllKeys = {"DEL", "UNLINK", "EXISTS", "TOUCH", "MGET"};

template <size_t n>
bool Contains(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes one escape sequence that begins with the backslash at `*at`; leaves `*at` on its last
// character.
char TakeEscape(std::string_view text, size_t* at) {
  const auto digit = [&](size_t i) { return i < text.size() ? HexDigit(text[i]) : -1; };
  const char c = text[++*at];
  if (c == 'x' && digit(*at + 1) >= 0 && digit(*at + 2) >= 0) {
    *at += 2;
    return static_cast<char>(digit(*at - 1) * 16 + digit(*at));
  }
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Takes the quoted stretch whose opening quote is at `*at`; leaves `*at` behind the closing one.
Status TakeQuoted(std::string_view text, size_t* at, std::string* word) {
  const char quote = text[*at];
  const size_t opened = *at;
  for (size_t i = *at + 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      if (i + 1 < text.size() && kBlanks.find(text[i + 1]) == std::string_view::npos) {
        return Fail(Code::kInvalid, fmt::format("a blank must follow the quote at {}", i + 1));
      }
      *at = i + 1;
      return Ok();
    }
    const bool escape = text[i] == '\\' && i + 1 < text.size();
    if (escape && quote == '"') {
      word->push_back(TakeEscape(text, &i));
    } else if (escape && text[i + 1] == '\'') {
      word->push_back(text[++i]);
    } else {
      word->push_back(text[i]);
    }
  }
  return Fail(Code::kInvalid, fmt::format("the quote at {} is not closed", opened + 1));
}

void AppendSize(std::string& to, char mark, size_t size) {
  std::array<char, 24> text;
  text[0] = mark;
  char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, size).ptr;
  *end++ = '\r';
  *end++ = '\n';
  to.append(text.data(), end);
}

}  // namespace

Result<std::vector<std::string>> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  size_t at = 0;
  for (;;) {
    at = text.find_first_not_of(kBlanks, at);
    if (at == std::string_view::npos) return words;
    std::string word;
    while (at < text.size() && kBlanks.find(text[at]) == std::string_view::npos) {
      if (text[at] == '"' || text[at] == '\'') {
        SLUICE_TRY(TakeQuoted(text, &at, &word));
      } else {
        word.push_back(text[at++]);
      }
    }
    words.push_back(std::move(word));
  }
}

Result<CommandTemplate> CommandTemplate::Parse(std::string_view text,
                                               std::vector<std::string>* columns) {
  CommandTemplate command;
  command.text_ = text;
  SLUICE_ASSIGN(const std::vector<std::string> words, SplitWords(text));
  if (words.empty()) return Fail(Code::kInvalid, "the command is empty");
  if (words.size() > kWordsMax) {
    return Fail(Code::kInvalid, fmt::format("more than {} words", kWordsMax));
  }
  for (const std::string& word : words) SLUICE_TRY(command.ParseWord(word, columns));
  if (command.words_.front().encoded.empty()) {
    return Fail(Code::kInvalid, "the first word is the command's name and holds no {column}");
  }
  command.name_ = words.front();
  for (char& c : command.name_) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  if (command.name_ == "SLUICE") {
    return Fail(Code::kInvalid, "a SLUICE command cannot be loaded; load sends SLUICE ONCE itself");
  }
  if (Contains(kCommutative, command.name_)) command.order_ = Order::kCommutative;
  command.FindKeys();
  return command;
}

Status CommandTemplate::ParseWord(std::string_view text, std::vector<std::string>* columns) {
  Word word;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) word.parts.push_back({.literal = std::exchange(literal, {})});
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '{' && c != '}') {
      literal.push_back(c);
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == c) {
      literal.push_back(c);
      ++i;
      continue;
    }
    const size_t close = text.find('}', i);
    if (c == '}' || close == std::string_view::npos) {
      return Fail(
          Code::kInvalid,
          fmt::format("\"{}\": a single {} ; write {}{} for the brace itself", text, c, c, c));
    }
    const std::string_view name = text.substr(i + 1, close - i - 1);
    const auto known = std::find(columns->begin(), columns->end(), name);
    const size_t cell = known - columns->begin();
    if (known == columns->end()) columns->emplace_back(name);
    end_literal();
    word.parts.push_back({.literal = {}, .cell = cell, .is_cell = true});
    i = close;
  }
  end_literal();
  const bool fixed = std::none_of(word.parts.begin(), word.parts.end(),
                                  [](const Part& part) { return part.is_cell; });
  if (fixed) {
    std::string bytes;
    for (const Part& part : word.parts) bytes += part.literal;
    word.encoded = fmt::format("${}\r\n{}\r\n", bytes.size(), bytes);
  }
  words_.push_back(std::move(word));
  return Ok();
}

void CommandTemplate::FindKeys() {
  if (words_.size() < 2) return;
  const size_t step = Contains(kKeyValuePairs, name_) ? 2 : Contains(kAllKeys, name_) ? 1 : 0;
  for (size_t i = 1; i < words_.size(); i += step) {
    keys_.push_back(i);
    if (step == 0) return;
  }
}

uint64_t CommandTemplate::KeyHash(size_t key, const Row& row, std::string* scratch) const {
  scratch->clear();
  AppendBytes(*scratch, words_[keys_[key]], row);
  return XXH3_64bits(scratch->data(), scratch->size());
}

size_t CommandTemplate::SizeOf(const Word& word, const Row& row) {
  size_t size = 0;
  for (const Part& part : word.parts) {
    size += part.is_cell ? row.cells[part.cell].size : part.literal.size();
  }
  return size;
}

void CommandTemplate::AppendBytes(std::string& to, const Word& word, const Row& row) {
  for (const Part& part : word.parts) {
    to.append(part.is_cell ? row.cell(part.cell) : std::string_view(part.literal));
  }
}

Status CommandTemplate::CheckSize(const Row& row) const {
  size_t total = 0;
  for (const Word& word : words_) {
    const size_t size = SizeOf(word, row);
    if (size > kWordBytesMax) {
      return Fail(Code::kInvalid, fmt::format("an argument of {} is {} bytes long, more than {}",
                                              name_, size, kWordBytesMax));
    }
    total += size;
  }
  if (total > kCommandBytesMax) {
    return Fail(Code::kInvalid,
                fmt::format("{} is {} bytes long, more than {}", name_, total, kCommandBytesMax));
  }
  return Ok();
}

void CommandTemplate::AppendWords(std::string& to, const Row& row) const {
  for (const Word& word : words_) {
    if (!word.encoded.empty()) {
      to.append(word.encoded);
      continue;
    }
    AppendSize(to, '$', SizeOf(word, row));
    AppendBytes(to, word, row);
    to.append("\r\n");
  }
}

}  // namespace sluice::cli
