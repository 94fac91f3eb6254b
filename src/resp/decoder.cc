#include "resp/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/number.h"

namespace sluice::resp {
namespace {

using Type = Value::Type;

constexpr int64_t kItemsMax = INT64_C(1) << 31;  // that a header may announce

bool IsAggregate(Type type) {
  return type >= Type::kArray;
}

bool TypeOf(char marker, Type* type) {
  switch (marker) {
    case '+':
      *type = Type::kSimple;
      return true;
    case '-':
    case '!':
      *type = Type::kError;
      return true;
    case ':':
      *type = Type::kInt;
      return true;
    case '$':
    case '=':
      *type = Type::kBulk;
      return true;
    case '_':
      *type = Type::kNull;
      return true;
    case ',':
      *type = Type::kDouble;
      return true;
    case '#':
      *type = Type::kBool;
      return true;
    case '(':
      *type = Type::kBigNumber;
      return true;
    case '*':
      *type = Type::kArray;
      return true;
    case '%':
      *type = Type::kMap;
      return true;
    case '~':
      *type = Type::kSet;
      return true;
    case '>':
      *type = Type::kPush;
      return true;
    default:
      return false;
  }
}

}  // namespace

Decoder::Got Decoder::Next(std::string_view input, size_t* consumed, Value* reply) {
  *consumed = 0;
  for (;;) {  // ends: every turn takes bytes, or returns
    Value value;
    size_t size = 0, items = 0;
    const Got got = Item(input.substr(*consumed), &size, &value, &items);
    if (got != Got::kReply) return got;
    *consumed += size;
    if (items > 0) {
      if (open_.size() == kDepthMax) return Got::kError;
      open_.push_back({std::move(value), items});
      continue;
    }
    for (;;) {  // close what this item completes; ends: open_ shrinks
      if (open_.empty()) {
        *reply = std::move(value);
        return Got::kReply;
      }
      open_.back().value.items.push_back(std::move(value));
      if (--open_.back().left > 0) break;
      value = std::move(open_.back().value);
      open_.pop_back();
    }
  }
}

// One string, number, or head of an array; `*items` is what the array announces.
Decoder::Got Decoder::Item(std::string_view input, size_t* size, Value* value, size_t* items) {
  std::string_view line;
  const Got got = Line(input, &line);
  if (got != Got::kReply) return got;
  const char marker = line.empty() ? '\0' : line[0];
  if (!TypeOf(marker, &value->type)) return Got::kError;
  line.remove_prefix(1);
  *size = line.size() + 3;
  if (marker == '$' || marker == '=' || marker == '!' || IsAggregate(value->type)) {
    int64_t announced = 0;
    if (!ParseInt(line, &announced)) return Got::kError;
    if (announced == -1) {
      value->type = Type::kNull;
      return Got::kReply;
    }
    if (IsAggregate(value->type)) {
      if (announced < 0 || announced > kItemsMax) return Got::kError;
      *items = announced * (value->type == Type::kMap ? 2 : 1);
      return Got::kReply;
    }
    if (announced < 0 || announced > static_cast<int64_t>(kBulkBytesMax)) return Got::kError;
    if (input.size() - *size < static_cast<size_t>(announced) + 2) return Got::kNeedMore;
    std::string_view bytes = input.substr(*size, announced);
    if (marker == '=') bytes.remove_prefix(std::min<size_t>(4, bytes.size()));
    value->text = bytes;
    *size += announced + 2;
    return Got::kReply;
  }
  value->text = line;
  if (value->type == Type::kInt) return ParseInt(line, &value->number) ? Got::kReply : Got::kError;
  if (value->type == Type::kBool) value->number = line == "t" ? 1 : 0;
  return Got::kReply;
}

// The line at the front, without its end.
Decoder::Got Decoder::Line(std::string_view input, std::string_view* line) const {
  const size_t end = input.substr(0, kLineBytesMax).find('\n');
  if (end == std::string_view::npos) {
    return input.size() < kLineBytesMax ? Got::kNeedMore : Got::kError;
  }
  if (end == 0 || input[end - 1] != '\r') return Got::kError;
  *line = input.substr(0, end - 1);
  return Got::kReply;
}

}  // namespace sluice::resp
