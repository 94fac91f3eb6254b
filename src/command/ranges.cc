// Parts of strings: APPEND, STRLEN, GETRANGE, SETRANGE.
#include <algorithm>

#include "base/number.h"
#include "command/families.h"
#include "command/handler.h"

namespace sluice::command {
namespace {

// Writes bytes at an offset. A key that is not there begins as an empty string first: a row that
// expired but still lies in the store must not shine through the gap.
void EmitPatch(Call& call, const Key& key, uint64_t offset, std::string_view bytes) {
  const uint64_t expire_at_ms = KeptExpiry(call, key);
  if (!key.exists) EmitPut(call, offset == 0 ? bytes : std::string_view(), expire_at_ms);
  if (!key.exists && offset == 0) return;
  if (call.view.policy().projected) {
    // A table's row is told its value: of a part nobody could say what the whole has become.
    std::string whole(key.value());
    whole.resize(std::max<size_t>(whole.size(), offset + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), whole.begin() + static_cast<ptrdiff_t>(offset));
    EmitPut(call, whole, expire_at_ms);
    return;
  }
  model::Effect effect;
  effect.kind = model::EffectKind::kPatch;
  effect.key = key.name;
  effect.offset = offset;
  effect.value = bytes;
  effect.expire_at_ms = expire_at_ms;
  call.view.Emit(effect);
}

Outcome Append(Call& call) {
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  const std::string_view bytes = call.args[2];
  const uint64_t size = key.value().size();
  if (size + bytes.size() > kValueBytesMax) return Refuse(call, kTooLong);
  call.reply.Int(static_cast<int64_t>(size + bytes.size()));
  if (!key.exists || !bytes.empty()) EmitPatch(call, key, size, bytes);
  return Outcome::kDone;
}

Outcome StrLen(Call& call) {
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  call.reply.Int(static_cast<int64_t>(key.value().size()));
  return Outcome::kDone;
}

// Bytes first to last of the value, both counted from the end if negative.
std::string_view Range(std::string_view value, int64_t first, int64_t last) {
  const int64_t size = static_cast<int64_t>(value.size());
  if (first < 0 && last < 0 && first > last) return {};
  if (first < 0) first = std::max<int64_t>(first + size, 0);
  if (last < 0) last = std::max<int64_t>(last + size, 0);
  last = std::min(last, size - 1);
  if (first > last) return {};
  return value.substr(first, last - first + 1);
}

Outcome GetRange(Call& call) {
  int64_t first = 0, last = 0;
  if (!ParseInt(call.args[2], &first) || !ParseInt(call.args[3], &last)) {
    return Refuse(call, kNotAnInteger);
  }
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  call.reply.Bulk(Range(key.value(), first, last));
  return Outcome::kDone;
}

Outcome SetRange(Call& call) {
  int64_t offset = 0;
  if (!ParseInt(call.args[2], &offset)) return Refuse(call, kNotAnInteger);
  if (offset < 0) return Refuse(call, "ERR offset is out of range");
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  const std::string_view bytes = call.args[3];
  const uint64_t at = static_cast<uint64_t>(offset), size = key.value().size();
  if (bytes.empty()) {
    call.reply.Int(static_cast<int64_t>(size));
    return Outcome::kDone;
  }
  if (at > kValueBytesMax || at + bytes.size() > kValueBytesMax) return Refuse(call, kTooLong);
  if (at < size && RefusedAsAppendOnly(call)) return Outcome::kDone;
  call.reply.Int(static_cast<int64_t>(std::max(size, at + bytes.size())));
  EmitPatch(call, key, at, bytes);
  return Outcome::kDone;
}

constexpr Spec kCommands[] = {
    KeyCommand("append", 3, kWrite | kFast, Append, "string", "Adds bytes to the end of a value."),
    KeyCommand("strlen", 2, kRead | kFast, StrLen, "string", "The bytes that a value has."),
    KeyCommand("getrange", 4, kRead, GetRange, "string", "A part of a value."),
    KeyCommand("substr", 4, kRead, GetRange, "string", "A part of a value, by its old name."),
    KeyCommand("setrange", 4, kWrite, SetRange, "string",
               "Writes bytes into a value at an offset."),
};

}  // namespace

std::span<const Spec> RangeCommands() {
  return kCommands;
}

}  // namespace sluice::command
