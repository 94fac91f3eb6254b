#include "resp/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "base/number.h"
#include "base/text.h"

namespace sluice::resp {
namespace {

constexpr size_t kSpansKept = 1024;  // capacity that stays between commands
constexpr int kShortDigitsMax = 9;   // lengths up to here take the short way

bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Between unquoted words; narrower than IsSpace, as in Redis.
bool IsSeparator(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Escaped(char c) {
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

// The digits of a length and its line end, when all is there and plain; else nullptr.
const char* ShortLength(const char* from, const char* end, int64_t* value) {
  const char* at = from;
  int64_t read = 0;
  while (at < end && *at >= '0' && *at <= '9' && at - from < kShortDigitsMax) {
    read = read * 10 + (*at++ - '0');
  }
  if (at == from || end - at < 2 || *at != '\r') return nullptr;
  if (*from == '0' && at - from > 1) return nullptr;
  *value = read;
  return at + 2;
}

// What an HTTP request's first line or header begins with: a web page that talks to this port.
bool SpeaksHttp(std::string_view name) {
  return (name.size() == 4 && EqualFolded(name, "post")) ||
         (name.size() == 5 && EqualFolded(name, "host:"));
}

}  // namespace

Parser::Got Parser::Next(std::string_view input, size_t* consumed,
                         std::vector<std::string_view>* args) {
  *consumed = 0;
  args->clear();
  while (*consumed < input.size()) {  // ends: an empty request takes at least one byte
    const std::string_view bytes = input.substr(*consumed);
    const Got got = bytes[0] == '*' ? Multibulk(bytes) : Inline(bytes, args);
    if (got != Got::kCommand) return got;
    for (const Span& span : spans_) args->push_back(bytes.substr(span.at, span.size));
    *consumed += at_;
    Reset();
    if (!args->empty()) return SpeaksHttp(args->front()) ? Got::kCrossProtocol : Got::kCommand;
  }
  return Got::kNeedMore;
}

Parser::Got Parser::Multibulk(std::string_view bytes) {
  if (left_ < 0) {
    int64_t count = 0;
    const Got got = Length(bytes, '*', &count);
    if (got != Got::kCommand) return got;
    if (count > static_cast<int64_t>(limits_.args_max)) {
      if (limits_.authenticated || count > INT_MAX) return Fail("invalid multibulk length");
      return Fail("unauthenticated multibulk length");
    }
    left_ = std::max<int64_t>(count, 0);
  }
  while (left_ > 0) {
    const Got got = Bulk(bytes);
    if (got != Got::kCommand) return got;
    --left_;
  }
  return Got::kCommand;
}

Parser::Got Parser::Bulk(std::string_view bytes) {
  if (bulk_ < 0) {
    int64_t size = 0;
    const Got got = Length(bytes, '$', &size);
    if (got != Got::kCommand) return got;
    if (size < 0) return Fail("invalid bulk length");
    if (size > static_cast<int64_t>(limits_.bulk_bytes_max)) {
      if (limits_.authenticated || size > static_cast<int64_t>(kLimits.bulk_bytes_max)) {
        return Fail("invalid bulk length");
      }
      return Fail("unauthenticated bulk length");
    }
    if (at_ + size + 2 > limits_.command_bytes_max) return Fail("too big request");
    bulk_ = size;
  }
  if (bytes.size() - at_ < static_cast<size_t>(bulk_) + 2) return Got::kNeedMore;
  spans_.push_back({at_, static_cast<size_t>(bulk_)});
  at_ += bulk_ + 2;
  scanned_ = at_;
  bulk_ = -1;
  return Got::kCommand;
}

// Reads the line "<marker><number>" at at_ and steps behind it.
Parser::Got Parser::Length(std::string_view bytes, char marker, int64_t* value) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  if (at_ < bytes.size() && bytes[at_] == marker) {
    if (const char* next = ShortLength(begin + at_ + 1, end, value)) {
      at_ = scanned_ = next - begin;
      return Got::kCommand;
    }
  }
  const size_t from = std::max(at_, scanned_);
  const size_t stop = std::min(bytes.size(), at_ + limits_.inline_bytes_max + 1);
  const void* found = from < stop ? std::memchr(begin + from, '\r', stop - from) : nullptr;
  if (found == nullptr) {
    scanned_ = stop;
    if (stop - at_ <= limits_.inline_bytes_max) return Got::kNeedMore;
    return Fail(marker == '*' ? "too big mbulk count string" : "too big bulk count string");
  }
  const size_t line_end = static_cast<const char*>(found) - begin;
  scanned_ = line_end;
  if (bytes.size() - line_end < 2) return Got::kNeedMore;
  if (bytes[at_] != marker) {
    return Fail(fmt::format("expected '{}', got '{}'", marker, bytes[at_]));
  }
  if (!ParseInt(bytes.substr(at_ + 1, line_end - at_ - 1), value)) {
    return Fail(marker == '*' ? "invalid multibulk length" : "invalid bulk length");
  }
  at_ = scanned_ = line_end + 2;
  return Got::kCommand;
}

Parser::Got Parser::Inline(std::string_view bytes, std::vector<std::string_view>* args) {
  const size_t stop = std::min(bytes.size(), limits_.inline_bytes_max + 1);
  const void* found =
      scanned_ < stop ? std::memchr(bytes.data() + scanned_, '\n', stop - scanned_) : nullptr;
  if (found == nullptr) {
    scanned_ = stop;
    return stop <= limits_.inline_bytes_max ? Got::kNeedMore : Fail("too big inline request");
  }
  size_t size = static_cast<const char*>(found) - bytes.data();
  at_ = size + 1;
  if (size > 0 && bytes[size - 1] == '\r') --size;
  if (!Split(bytes.substr(0, size), args)) return Fail("unbalanced quotes in request");
  return Got::kCommand;
}

// Takes a line apart into words. False when a quote has no end, or its end is no word's end.
bool Parser::Split(std::string_view line, std::vector<std::string_view>* args) {
  unquoted_.clear();
  unquoted_.reserve(line.size());  // never moves: words get shorter by unquoting
  size_t at = 0;
  for (;;) {
    while (at < line.size() && IsSpace(line[at])) ++at;
    if (at == line.size()) return true;
    const size_t begin = at;
    while (at < line.size() && !IsSeparator(line[at]) && line[at] != '"' && line[at] != '\'') ++at;
    if (at == line.size() || IsSeparator(line[at])) {
      args->push_back(line.substr(begin, at - begin));
      continue;
    }
    const size_t word = unquoted_.size();
    unquoted_.append(line, begin, at - begin);
    if (!Quoted(line, &at)) return false;
    args->push_back(std::string_view(unquoted_).substr(word));
  }
}

// Appends what the quoted end of a word at *at means, and steps behind it.
bool Parser::Quoted(std::string_view line, size_t* at) {
  const char quote = line[(*at)++];
  for (; *at < line.size(); ++*at) {
    const char c = line[*at];
    const size_t left = line.size() - *at;
    if (c == quote) {
      ++*at;
      return *at == line.size() || IsSpace(line[*at]);
    }
    if (c != '\\' || left < 2 || (quote == '\'' && line[*at + 1] != '\'')) {
      unquoted_.push_back(c);
      continue;
    }
    ++*at;
    const char escaped = line[*at];
    const int high = escaped == 'x' && left >= 4 ? HexDigit(line[*at + 1]) : -1;
    const int low = high >= 0 ? HexDigit(line[*at + 2]) : -1;
    if (low >= 0) {
      unquoted_.push_back(static_cast<char>(high * 16 + low));
      *at += 2;
    } else {
      unquoted_.push_back(quote == '"' ? Escaped(escaped) : escaped);
    }
  }
  return false;
}

Parser::Got Parser::Fail(std::string_view what) {
  error_ = "ERR Protocol error: ";
  error_ += what;
  return Got::kError;
}

void Parser::Reset() {
  at_ = scanned_ = 0;
  left_ = bulk_ = -1;
  if (spans_.capacity() > kSpansKept) {
    std::vector<Span>().swap(spans_);
  } else {
    spans_.clear();
  }
}

}  // namespace sluice::resp
