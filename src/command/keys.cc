// Keys of any type: their type and their time to live; and the commands over all keys.
#include <fmt/format.h>

#include "base/number.h"
#include "base/text.h"
#include "command/families.h"
#include "command/handler.h"

namespace sluice::command {
namespace {

Outcome Type(Call& call) {
  Key key;
  if (const auto leave = Find(call, &key)) return *leave;
  call.reply.Simple(!key.exists ? "none" : key.row.is_hash() ? "hash" : "string");
  return Outcome::kDone;
}

enum class Unit : uint8_t { kSeconds, kMs };
enum class Base : uint8_t { kNow, kEpoch };

Outcome TimeLeft(Call& call, Unit unit, Base base) {
  Key key;
  if (const auto leave = Find(call, &key)) return *leave;
  if (!key.exists || key.row.expire_at_ms == 0) {
    call.reply.Int(key.exists ? -1 : -2);
    return Outcome::kDone;
  }
  const uint64_t ms = key.row.expire_at_ms - (base == Base::kNow ? call.view.now_ms() : 0);
  call.reply.Int(static_cast<int64_t>(unit == Unit::kMs ? ms : (ms + 500) / 1000));
  return Outcome::kDone;
}

Outcome Ttl(Call& call) {
  return TimeLeft(call, Unit::kSeconds, Base::kNow);
}

Outcome PTtl(Call& call) {
  return TimeLeft(call, Unit::kMs, Base::kNow);
}

Outcome ExpireTime(Call& call) {
  return TimeLeft(call, Unit::kSeconds, Base::kEpoch);
}

Outcome PExpireTime(Call& call) {
  return TimeLeft(call, Unit::kMs, Base::kEpoch);
}

// When EXPIRE and its relatives may change a time.
struct Conditions {
  bool nx = false, xx = false, gt = false, lt = false;
};

// A word in an error text ends where a C string would, and loses line ends around it.
std::string_view Printable(std::string_view word) {
  word = word.substr(0, word.find('\0'));
  while (!word.empty() && (word.back() == '\r' || word.back() == '\n')) word.remove_suffix(1);
  return word;
}

bool ParseConditions(Call& call, Conditions* conditions) {
  for (const std::string_view word : call.args.subspan(3)) {
    if (EqualFolded(word, "nx")) {
      conditions->nx = true;
    } else if (EqualFolded(word, "xx")) {
      conditions->xx = true;
    } else if (EqualFolded(word, "gt")) {
      conditions->gt = true;
    } else if (EqualFolded(word, "lt")) {
      conditions->lt = true;
    } else {
      call.reply.Error(fmt::format("ERR Unsupported option {}", Printable(word)));
      return false;
    }
  }
  if (conditions->nx && (conditions->xx || conditions->gt || conditions->lt)) {
    call.reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions->gt && conditions->lt) {
    call.reply.Error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

bool Holds(const Conditions& conditions, uint64_t expire_at_ms, int64_t at_ms) {
  const bool expires = expire_at_ms != 0;
  const int64_t current = static_cast<int64_t>(expire_at_ms);
  if (conditions.nx && expires) return false;
  if (conditions.xx && !expires) return false;
  // A key that never expires lives longer than any time.
  if (conditions.gt && (!expires || at_ms <= current)) return false;
  return !(conditions.lt && expires && at_ms >= current);
}

Outcome ExpireAs(Call& call, std::string_view command, Unit unit, Base base) {
  Conditions conditions;
  if (!ParseConditions(call, &conditions)) return Outcome::kDone;
  int64_t at_ms = 0;
  if (!ParseInt(call.args[2], &at_ms)) return Refuse(call, kNotAnInteger);
  const int64_t now = static_cast<int64_t>(call.view.now_ms());
  if ((unit == Unit::kSeconds && __builtin_mul_overflow(at_ms, 1000, &at_ms)) ||
      __builtin_add_overflow(at_ms, base == Base::kNow ? now : 0, &at_ms)) {
    ReplyBadExpire(call.reply, command);
    return Outcome::kDone;
  }
  Key key;
  if (const auto leave = Find(call, &key)) return *leave;
  if (!key.exists || !Holds(conditions, key.row.expire_at_ms, at_ms)) {
    call.reply.Int(0);
    return Outcome::kDone;
  }
  const bool ends = at_ms <= now;
  if (ends && RefusedAsAppendOnly(call)) return Outcome::kDone;
  call.reply.Int(1);
  if (ends) {
    EmitDelete(call);
  } else {
    EmitExpireAt(call, static_cast<uint64_t>(at_ms));
  }
  return Outcome::kDone;
}

Outcome Expire(Call& call) {
  return ExpireAs(call, "expire", Unit::kSeconds, Base::kNow);
}

Outcome PExpire(Call& call) {
  return ExpireAs(call, "pexpire", Unit::kMs, Base::kNow);
}

Outcome ExpireAt(Call& call) {
  return ExpireAs(call, "expireat", Unit::kSeconds, Base::kEpoch);
}

Outcome PExpireAt(Call& call) {
  return ExpireAs(call, "pexpireat", Unit::kMs, Base::kEpoch);
}

Outcome Persist(Call& call) {
  Key key;
  if (const auto leave = Find(call, &key)) return *leave;
  const bool expires = key.exists && key.row.expire_at_ms != 0;
  call.reply.Int(expires ? 1 : 0);
  if (expires) EmitExpireAt(call, 0);
  return Outcome::kDone;
}

constexpr Spec OnKey(std::string_view name, int arity, uint32_t flags, Outcome (*handler)(Call&),
                     std::string_view summary) {
  return KeyCommand(name, arity, flags, handler, "generic", summary);
}

constexpr Spec OnAll(std::string_view name, int arity, uint32_t flags, std::string_view group,
                     std::string_view summary) {
  return PlainCommand(name, arity, flags, Face::kGather, group, summary);
}

constexpr Spec kCommands[] = {
    OnKey("type", 2, kRead | kFast, Type, "The type of a key."),
    OnKey("ttl", 2, kRead | kFast, Ttl, "Seconds that a key has left."),
    OnKey("pttl", 2, kRead | kFast, PTtl, "Milliseconds that a key has left."),
    OnKey("expiretime", 2, kRead | kFast, ExpireTime, "When a key expires, in seconds."),
    OnKey("pexpiretime", 2, kRead | kFast, PExpireTime, "When a key expires, in milliseconds."),
    OnKey("expire", -3, kWrite | kFast | kDeletes, Expire, "Lets a key expire in so many seconds."),
    OnKey("pexpire", -3, kWrite | kFast | kDeletes, PExpire,
          "Lets a key expire in so many milliseconds."),
    OnKey("expireat", -3, kWrite | kFast | kDeletes, ExpireAt,
          "Lets a key expire at a time in seconds."),
    OnKey("pexpireat", -3, kWrite | kFast | kDeletes, PExpireAt,
          "Lets a key expire at a time in milliseconds."),
    OnKey("persist", 2, kWrite | kFast, Persist, "Lets a key live on without a time."),
    OnAll("scan", -2, kRead, "generic", "Walks over all keys, a few at a time."),
    OnAll("keys", 2, kRead, "generic", "All keys that match a pattern."),
    OnAll("randomkey", 1, kRead, "generic", "Any key."),
    OnAll("dbsize", 1, kRead | kFast, "server", "An estimate of how many keys there are."),
    OnAll("flushall", -1, kWrite | kDeletes, "server", "Deletes all keys."),
    OnAll("flushdb", -1, kWrite | kDeletes, "server", "Deletes all keys."),
};

}  // namespace

std::span<const Spec> KeyCommands() {
  return kCommands;
}

}  // namespace sluice::command
