// Hashes by field: HSET, HGET, HDEL, HINCRBY and their relatives.
#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cmath>
#include <unordered_map>

#include "base/number.h"
#include "command/families.h"
#include "command/handler.h"
#include "command/reply_bound.h"

namespace sluice::command {
namespace {

using Have = View::Have;
// Few enough to stay off the heap and to compare each with each.
constexpr size_t kFewFields = 8;
using Fields = boost::container::small_vector<model::Field, kFewFields>;

// Fields by name, each once with its last value, in the order of first appearance.
Fields Distinct(Args args, size_t step) {
  Fields fields;
  std::unordered_map<std::string_view, size_t> places;
  const bool many = args.size() / step > kFewFields;
  for (size_t at = 0; at + step <= args.size(); at += step) {
    const model::Field field{args[at], step == 2 ? args[at + 1] : std::string_view()};
    size_t place = 0;
    if (many) {
      place = places.try_emplace(field.name, fields.size()).first->second;
    } else {
      while (place < fields.size() && fields[place].name != field.name) ++place;
    }
    if (place == fields.size()) {
      fields.push_back(field);
    } else {
      fields[place].value = field.value;
    }
  }
  return fields;
}

// Looks every field up before a cold one ends the call: one trip to the disk brings them all.
// Counts those that exist, and marks the rest in `is_new` if asked.
std::optional<Outcome> CountExisting(Call& call, const Key& key, Fields& fields, bool drop_missing,
                                     uint64_t* existing) {
  *existing = 0;
  if (!key.exists) {
    if (drop_missing) fields.clear();
    return std::nullopt;
  }
  bool cold = false;
  size_t kept = 0;
  for (const model::Field& field : fields) {
    std::string_view value;
    const Have have = call.view.FindField(key.name, key.row, field.name, &value);
    cold |= have == Have::kCold;
    *existing += have == Have::kYes ? 1 : 0;
    if (have == Have::kYes || !drop_missing) fields[kept++] = field;
  }
  fields.resize(kept);
  if (cold) return Outcome::kCold;
  return std::nullopt;
}

// An effect on the fields of a hash that may be new.
model::Effect HashEffect(Call& call, const Key& key, model::EffectKind kind, uint64_t added) {
  model::Effect effect;
  effect.kind = kind;
  effect.key = key.name;
  effect.expire_at_ms = KeptExpiry(call, key);
  effect.generation = key.exists ? key.row.generation : call.view.NewGeneration();
  effect.count = (key.exists ? key.row.count : 0) + added;
  return effect;
}

void EmitPutFields(Call& call, const Key& key, std::span<const model::Field> fields,
                   uint64_t added) {
  model::Effect effect = HashEffect(call, key, model::EffectKind::kPutFields, added);
  effect.fields = fields;
  call.view.Emit(effect);
}

bool AnyTooLong(const Fields& fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [](const model::Field& field) { return field.name.size() > kFieldBytesMax; });
}

enum class Answers : uint8_t { kCount, kOk };

Outcome PutFields(Call& call, std::string_view command, Answers answers) {
  if (call.args.size() % 2 != 0) {
    ReplyWrongArity(call.reply, command);
    return Outcome::kDone;
  }
  Key key;
  if (const auto leave = FindHash(call, &key)) return *leave;
  Fields fields = Distinct(call.args.subspan(2), 2);
  if (AnyTooLong(fields)) return Refuse(call, kFieldTooLong);
  uint64_t existing = 0;
  if (const auto leave = CountExisting(call, key, fields, false, &existing)) return *leave;
  if (existing > 0 && RefusedAsAppendOnly(call)) return Outcome::kDone;
  const uint64_t added = fields.size() - existing;
  if (answers == Answers::kCount) {
    call.reply.Int(static_cast<int64_t>(added));
  } else {
    call.reply.Simple("OK");
  }
  EmitPutFields(call, key, {fields.data(), fields.size()}, added);
  return Outcome::kDone;
}

Outcome HSet(Call& call) {
  return PutFields(call, "hset", Answers::kCount);
}

Outcome HMSet(Call& call) {
  return PutFields(call, "hmset", Answers::kOk);
}

// A hash and one field of it, args[2].
struct OneField {
  Key key;
  bool exists = false;
  std::string_view value;
};

std::optional<Outcome> FindOne(Call& call, OneField* found) {
  if (const auto leave = FindHash(call, &found->key)) return leave;
  if (!found->key.exists) return std::nullopt;
  const Have have =
      call.view.FindField(found->key.name, found->key.row, call.args[2], &found->value);
  found->exists = have == Have::kYes;
  if (have == Have::kCold) return Outcome::kCold;
  return std::nullopt;
}

Outcome HSetNx(Call& call) {
  OneField found;
  if (const auto leave = FindOne(call, &found)) return *leave;
  if (!found.exists && call.args[2].size() > kFieldBytesMax) return Refuse(call, kFieldTooLong);
  call.reply.Int(found.exists ? 0 : 1);
  const model::Field field{call.args[2], call.args[3]};
  if (!found.exists) EmitPutFields(call, found.key, {&field, 1}, 1);
  return Outcome::kDone;
}

Outcome HGet(Call& call) {
  OneField found;
  if (const auto leave = FindOne(call, &found)) return *leave;
  found.exists ? call.reply.Bulk(found.value) : call.reply.Null();
  return Outcome::kDone;
}

Outcome HStrLen(Call& call) {
  OneField found;
  if (const auto leave = FindOne(call, &found)) return *leave;
  call.reply.Int(static_cast<int64_t>(found.value.size()));
  return Outcome::kDone;
}

Outcome HExists(Call& call) {
  OneField found;
  if (const auto leave = FindOne(call, &found)) return *leave;
  call.reply.Int(found.exists ? 1 : 0);
  return Outcome::kDone;
}

Outcome HMGet(Call& call) {
  Key key;
  if (const auto leave = FindHash(call, &key)) return *leave;
  const Args names = call.args.subspan(2);
  const size_t before = call.reply.size();
  call.reply.Array(names.size());
  bool cold = false;
  for (const std::string_view name : names) {
    std::string_view value;
    const Have have = key.exists ? call.view.FindField(key.name, key.row, name, &value) : Have::kNo;
    cold |= have == Have::kCold;
    have == Have::kYes ? call.reply.Bulk(value) : call.reply.Null();
    if (EndedTooLong(call.reply, before)) return Outcome::kDone;
  }
  if (!cold) return Outcome::kDone;
  call.reply.bytes().resize(before);
  return Outcome::kCold;
}

Outcome HDel(Call& call) {
  Key key;
  if (const auto leave = FindHash(call, &key)) return *leave;
  Fields fields = Distinct(call.args.subspan(2), 1);
  uint64_t deleted = 0;
  if (const auto leave = CountExisting(call, key, fields, true, &deleted)) return *leave;
  if (deleted > 0 && RefusedAsAppendOnly(call)) return Outcome::kDone;
  call.reply.Int(static_cast<int64_t>(deleted));
  if (deleted == 0) return Outcome::kDone;
  if (deleted == key.row.count) {
    EmitDelete(call);
    return Outcome::kDone;
  }
  model::Effect effect = HashEffect(call, key, model::EffectKind::kDeleteFields, 0);
  effect.count = key.row.count - deleted;
  effect.fields = {fields.data(), fields.size()};
  call.view.Emit(effect);
  return Outcome::kDone;
}

Outcome HIncrBy(Call& call) {
  int64_t delta = 0, number = 0;
  if (!ParseInt(call.args[3], &delta)) return Refuse(call, kNotAnInteger);
  OneField found;
  if (const auto leave = FindOne(call, &found)) return *leave;
  if (found.exists && !ParseInt(found.value, &number)) {
    return Refuse(call, "ERR hash value is not an integer");
  }
  if (__builtin_add_overflow(number, delta, &number)) return Refuse(call, kOverflow);
  if (!found.exists && call.args[2].size() > kFieldBytesMax) return Refuse(call, kFieldTooLong);
  model::Effect effect =
      HashEffect(call, found.key, model::EffectKind::kAddField, found.exists ? 0 : 1);
  effect.value = call.args[2];
  effect.delta = delta;
  effect.number = number;
  call.reply.Int(number);
  call.view.Emit(effect);
  return Outcome::kDone;
}

Outcome HIncrByFloat(Call& call) {
  long double delta = 0, number = 0;
  if (!ParseLongDouble(call.args[3], &delta)) return Refuse(call, kNotAFloat);
  if (!std::isfinite(delta)) return Refuse(call, "ERR value is NaN or Infinity");
  OneField found;
  if (const auto leave = FindOne(call, &found)) return *leave;
  if (found.exists && !ParseLongDouble(found.value, &number)) {
    return Refuse(call, "ERR hash value is not a float");
  }
  number += delta;
  if (!std::isfinite(number)) return Refuse(call, kNoFiniteSum);
  if (!found.exists && call.args[2].size() > kFieldBytesMax) return Refuse(call, kFieldTooLong);
  const std::string text = PrintLongDouble(number);
  call.reply.Bulk(text);
  const model::Field field{call.args[2], text};
  EmitPutFields(call, found.key, {&field, 1}, found.exists ? 0 : 1);
  return Outcome::kDone;
}

Outcome HLen(Call& call) {
  Key key;
  if (const auto leave = FindHash(call, &key)) return *leave;
  call.reply.Int(key.exists ? static_cast<int64_t>(key.row.count) : 0);
  return Outcome::kDone;
}

constexpr Spec OnHash(std::string_view name, int arity, uint32_t flags, Outcome (*handler)(Call&),
                      std::string_view summary) {
  return KeyCommand(name, arity, flags, handler, "hash", summary);
}

constexpr Spec kCommands[] = {
    OnHash("hset", -4, kWrite | kFast | kFolds, HSet, "Sets fields of a hash."),
    OnHash("hmset", -4, kWrite | kFast | kFolds, HMSet, "Sets fields of a hash, by its old name."),
    OnHash("hsetnx", 4, kWrite | kFast | kFolds, HSetNx, "Sets a field that does not exist."),
    OnHash("hget", 3, kRead | kFast, HGet, "The value of a field."),
    OnHash("hmget", -3, kRead | kFast, HMGet, "The values of fields."),
    OnHash("hdel", -3, kWrite | kFast | kDeletes, HDel, "Deletes fields."),
    OnHash("hlen", 2, kRead | kFast, HLen, "How many fields a hash has."),
    OnHash("hstrlen", 3, kRead | kFast, HStrLen, "The bytes that a field's value has."),
    OnHash("hexists", 3, kRead | kFast, HExists, "Whether a field exists."),
    OnHash("hincrby", 4, kWrite | kFast | kIncrements | kFolds, HIncrBy,
           "Adds to a field's number."),
    OnHash("hincrbyfloat", 4, kWrite | kFast, HIncrByFloat, "Adds to a field's float."),
};

}  // namespace

std::span<const Spec> HashCommands() {
  return kCommands;
}

}  // namespace sluice::command
