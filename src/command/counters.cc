// Numbers in strings: INCR and its relatives.
#include <cmath>

#include "base/number.h"
#include "command/families.h"
#include "command/handler.h"

namespace sluice::command {
namespace {

Outcome Add(Call& call, int64_t delta) {
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  int64_t number = 0;
  if (key.exists && !ParseInt(key.value(), &number)) return Refuse(call, kNotAnInteger);
  if (__builtin_add_overflow(number, delta, &number)) return Refuse(call, kOverflow);
  model::Effect effect;
  effect.kind = model::EffectKind::kAddInt;
  effect.key = key.name;
  effect.delta = delta;
  effect.number = number;
  effect.expire_at_ms = KeptExpiry(call, key);
  call.reply.Int(number);
  call.view.Emit(effect);
  return Outcome::kDone;
}

Outcome Incr(Call& call) {
  return Add(call, 1);
}

Outcome Decr(Call& call) {
  return Add(call, -1);
}

Outcome IncrBy(Call& call) {
  int64_t delta = 0;
  if (!ParseInt(call.args[2], &delta)) return Refuse(call, kNotAnInteger);
  return Add(call, delta);
}

Outcome DecrBy(Call& call) {
  int64_t delta = 0;
  if (!ParseInt(call.args[2], &delta)) return Refuse(call, kNotAnInteger);
  if (delta == INT64_MIN) return Refuse(call, "ERR decrement would overflow");
  return Add(call, -delta);
}

// The sum is logged as a value: sums of floats depend on their order, so they are never folded.
Outcome IncrByFloat(Call& call) {
  Key key;
  if (const auto leave = FindString(call, &key)) return *leave;
  long double number = 0, delta = 0;
  if (key.exists && !ParseLongDouble(key.value(), &number)) return Refuse(call, kNotAFloat);
  if (!ParseLongDouble(call.args[2], &delta)) return Refuse(call, kNotAFloat);
  number += delta;
  if (!std::isfinite(number)) return Refuse(call, kNoFiniteSum);
  const std::string text = PrintLongDouble(number);
  call.reply.Bulk(text);
  EmitPut(call, text, KeptExpiry(call, key));
  return Outcome::kDone;
}

constexpr Spec kCommands[] = {
    KeyCommand("incr", 2, kWrite | kFast | kIncrements | kFolds, Incr, "string",
               "Adds one to a number."),
    KeyCommand("decr", 2, kWrite | kFast | kIncrements | kFolds, Decr, "string",
               "Takes one from a number."),
    KeyCommand("incrby", 3, kWrite | kFast | kIncrements | kFolds, IncrBy, "string",
               "Adds to a number."),
    KeyCommand("decrby", 3, kWrite | kFast | kIncrements | kFolds, DecrBy, "string",
               "Takes from a number."),
    KeyCommand("incrbyfloat", 3, kWrite | kFast, IncrByFloat, "string", "Adds to a float."),
};

}  // namespace

std::span<const Spec> CounterCommands() {
  return kCommands;
}

}  // namespace sluice::command
