// Strings as wholes: GET, SET and their relatives.
#include "base/number.h"
#include "base/text.h"
#include "command/families.h"
#include "command/handler.h"

namespace sluice::command {
namespace {

// A time to expire at, as clients give it.
enum class Clock : uint8_t { kNone, kEx, kPx, kExAt, kPxAt };

struct Options {
  bool nx = false, xx = false, get = false, keep_ttl = false, persist = false;
  Clock clock = Clock::kNone;
  std::string_view time;  // unless clock is kNone
};

Clock ClockNamed(std::string_view word) {
  if (EqualFolded(word, "ex")) return Clock::kEx;
  if (EqualFolded(word, "px")) return Clock::kPx;
  if (EqualFolded(word, "exat")) return Clock::kExAt;
  if (EqualFolded(word, "pxat")) return Clock::kPxAt;
  return Clock::kNone;
}

// NX, XX and GET of SET; false when the word is none of them or contradicts an earlier one.
bool ParseCondition(std::string_view word, Options* options) {
  if (EqualFolded(word, "nx")) return !options->xx && (options->nx = true);
  if (EqualFolded(word, "xx")) return !options->nx && (options->xx = true);
  return EqualFolded(word, "get") && (options->get = true);
}

// KEEPTTL of SET or PERSIST of GETEX, and the four clocks, of which one is allowed.
bool ParseExpiry(Args args, size_t* at, std::string_view keep, bool* kept, Options* options) {
  if (EqualFolded(args[*at], keep)) return options->clock == Clock::kNone && (*kept = true);
  const Clock clock = ClockNamed(args[*at]);
  if (clock == Clock::kNone || *kept || *at + 1 == args.size()) return false;
  if (options->clock != Clock::kNone && options->clock != clock) return false;
  options->clock = clock;
  options->time = args[++*at];
  return true;
}

bool ParseSet(Args args, Options* options) {
  for (size_t at = 3; at < args.size(); ++at) {
    if (ParseCondition(args[at], options)) continue;
    if (!ParseExpiry(args, &at, "keepttl", &options->keep_ttl, options)) return false;
  }
  return true;
}

bool ParseGetEx(Args args, Options* options) {
  for (size_t at = 2; at < args.size(); ++at) {
    if (!ParseExpiry(args, &at, "persist", &options->persist, options)) return false;
  }
  return true;
}

// The moment that the options name; zero without one. Replies and answers false if it is no time.
bool ExpiryMoment(Call& call, std::string_view command, const Options& options, uint64_t* at_ms) {
  *at_ms = 0;
  if (options.clock == Clock::kNone) return true;
  int64_t time = 0;
  if (!ParseInt(options.time, &time)) {
    call.reply.Error(kNotAnInteger);
    return false;
  }
  const bool seconds = options.clock == Clock::kEx || options.clock == Clock::kExAt;
  const bool relative = options.clock == Clock::kEx || options.clock == Clock::kPx;
  const int64_t base = relative ? static_cast<int64_t>(call.view.now_ms()) : 0;
  if (time <= 0 || (seconds && __builtin_mul_overflow(time, 1000, &time)) ||
      __builtin_add_overflow(time, base, &time)) {
    ReplyBadExpire(call.reply, command);
    return false;
  }
  *at_ms = static_cast<uint64_t>(time);
  return true;
}

// What SET and its relatives answer when they wrote, and when a condition kept them from it.
enum class Answers : uint8_t { kOkOrNull, kOneOrZero };

Outcome Write(Call& call, std::string_view command, const Options& options, std::string_view value,
              Answers answers) {
  uint64_t at_ms = 0;
  if (!ExpiryMoment(call, command, options, &at_ms)) return Outcome::kDone;
  Key key;
  // A plain write reads nothing: the row may be on disk, and nobody asked what it holds.
  const bool append_only = call.view.policy().append_only;
  const bool blind = !(options.nx || options.xx || options.get || options.keep_ttl || append_only);
  if (!blind) {
    if (const auto leave = options.get ? FindString(call, &key) : Find(call, &key)) return *leave;
  }
  const bool blocked = (options.nx && key.exists) || (options.xx && !key.exists);
  if (!blocked && append_only && key.exists) return Refuse(call, kAppendOnly);
  if (options.get) {
    key.exists ? call.reply.Bulk(key.value()) : call.reply.Null();
  } else if (answers == Answers::kOneOrZero) {
    call.reply.Int(blocked ? 0 : 1);
  } else {
    blocked ? call.reply.Null() : call.reply.Simple("OK");
  }
  if (blocked) return Outcome::kDone;
  if (at_ms != 0 && at_ms <= call.view.now_ms()) {
    if (blind || key.exists) EmitDelete(call);
    return Outcome::kDone;
  }
  const bool kept = options.keep_ttl && key.exists;
  if (at_ms == 0 && !kept) at_ms = DefaultExpiry(call.view.policy(), call.view.now_ms());
  EmitPut(call, value, kept ? key.row.expire_at_ms : at_ms);
  return Outcome::kDone;
}

Outcome Set(Call& call) {
  Options options;
  if (!ParseSet(call.args, &options)) return Refuse(call, kSyntax);
  return Write(call, "set", options, call.args[2], Answers::kOkOrNull);
}

Outcome SetNx(Call& call) {
  Options options;
  options.nx = true;
  return Write(call, "setnx", options, call.args[2], Answers::kOneOrZero);
}

Outcome SetWithTime(Call& call, std::string_view command, Clock clock) {
  Options options;
  options.clock = clock;
  options.time = call.args[2];
  return Write(call, command, options, call.args[3], Answers::kOkOrNull);
}

Outcome SetEx(Call& call) {
  return SetWithTime(call, "setex", Clock::kEx);
}

Outcome PSetEx(Call& call) {
  return SetWithTime(call, "psetex", Clock::kPx);
}

Outcome GetSet(Call& call) {
  Options options;
  options.get = true;
  return Write(call, "getset", options, call.args[2], Answers::kOkOrNull);
}

Outcome Get(Call& call) {
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  key.exists ? call.reply.Bulk(key.value()) : call.reply.Null();
  return Outcome::kDone;
}

Outcome GetDel(Call& call) {
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  if (key.exists && RefusedAsAppendOnly(call)) return Outcome::kDone;
  key.exists ? call.reply.Bulk(key.value()) : call.reply.Null();
  if (key.exists) EmitDelete(call);
  return Outcome::kDone;
}

Outcome GetEx(Call& call) {
  Options options;
  if (!ParseGetEx(call.args, &options)) return Refuse(call, kSyntax);
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  if (!key.exists) {
    call.reply.Null();
    return Outcome::kDone;
  }
  uint64_t at_ms = 0;
  if (!ExpiryMoment(call, "getex", options, &at_ms)) return Outcome::kDone;
  const bool ends = at_ms != 0 && at_ms <= call.view.now_ms();
  if (ends && RefusedAsAppendOnly(call)) return Outcome::kDone;
  call.reply.Bulk(key.value());
  if (ends) {
    EmitDelete(call);
  } else if (at_ms != 0 || (options.persist && key.row.expire_at_ms != 0)) {
    EmitExpireAt(call, at_ms);
  }
  return Outcome::kDone;
}

constexpr Spec kCommands[] = {
    KeyCommand("get", 2, kRead | kFast, Get, "string", "The value of a key."),
    KeyCommand("set", -3, kWrite | kFolds, Set, "string",
               "Sets a key's value, with conditions and a time to live."),
    KeyCommand("setnx", 3, kWrite | kFast | kFolds, SetNx, "string",
               "Sets a key that does not exist."),
    KeyCommand("setex", 4, kWrite | kFolds, SetEx, "string",
               "Sets a key that lives for so many seconds."),
    KeyCommand("psetex", 4, kWrite | kFolds, PSetEx, "string",
               "Sets a key that lives for so many milliseconds."),
    KeyCommand("getset", 3, kWrite | kFast | kFolds, GetSet, "string",
               "Sets a key and returns what it held."),
    KeyCommand("getdel", 2, kWrite | kFast | kDeletes, GetDel, "string",
               "Returns a key's value and deletes the key."),
    KeyCommand("getex", -2, kWrite | kFast, GetEx, "string",
               "Returns a key's value and sets when it expires."),
};

}  // namespace

std::span<const Spec> StringCommands() {
  return kCommands;
}

}  // namespace sluice::command
