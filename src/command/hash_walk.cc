// Hashes as wholes: HGETALL, HKEYS, HVALS, HRANDFIELD. HSCAN is carried out by the lanes.
#include <algorithm>
#include <string>

#include "base/number.h"
#include "base/text.h"
#include "command/families.h"
#include "command/handler.h"
#include "command/reply_bound.h"

namespace sluice::command {
namespace {

// HRANDFIELD with a negative count repeats fields. Beyond this, it answers kOutOfRange.
constexpr uint64_t kRepeatsMax = 1 << 20;

// The hash at args[1] and all its fields; none when it is not there. Leaves when they are more than
// one reply brings.
std::optional<Outcome> FindAll(Call& call, Key* key, std::vector<model::Field>* fields) {
  if (const auto leave = FindHash(call, key)) return leave;
  if (!key->exists) return std::nullopt;
  const View::Have have = call.view.AllFields(key->name, key->row, fields);
  if (have == View::Have::kCold) return Outcome::kCold;
  size_t bytes = 0;
  for (const model::Field& field : *fields) {
    bytes += field.name.size() + field.value.size() + 2 * kElementBytes;
  }
  if (bytes > kReplyBytesMax) return Refuse(call, kHashTooLong);
  return std::nullopt;
}

Outcome HGetAll(Call& call) {
  Key key;
  std::vector<model::Field> fields;
  if (const auto leave = FindAll(call, &key, &fields)) return *leave;
  call.reply.Map(fields.size());
  for (const model::Field& field : fields) {
    call.reply.Bulk(field.name);
    call.reply.Bulk(field.value);
  }
  return Outcome::kDone;
}

Outcome ListOne(Call& call, std::string_view model::Field::*part) {
  Key key;
  std::vector<model::Field> fields;
  if (const auto leave = FindAll(call, &key, &fields)) return *leave;
  call.reply.Array(fields.size());
  for (const model::Field& field : fields) call.reply.Bulk(field.*part);
  return Outcome::kDone;
}

Outcome HKeys(Call& call) {
  return ListOne(call, &model::Field::name);
}

Outcome HVals(Call& call) {
  return ListOne(call, &model::Field::value);
}

void ReplyField(resp::Reply& reply, const model::Field& field, bool with_values) {
  if (with_values && reply.version() == resp::Version::k3) reply.Array(2);
  reply.Bulk(field.name);
  if (with_values) reply.Bulk(field.value);
}

void ReplyFieldsHead(resp::Reply& reply, uint64_t count, bool with_values) {
  reply.Array(with_values && reply.version() == resp::Version::k2 ? 2 * count : count);
}

// `count` fields, the same one perhaps several times.
Outcome Repeat(Call& call, const std::vector<model::Field>& fields, uint64_t count,
               bool with_values) {
  if (count > kRepeatsMax) return Refuse(call, kOutOfRange);
  const size_t before = call.reply.size();
  ReplyFieldsHead(call.reply, count, with_values);
  for (uint64_t i = 0; i < count; ++i) {
    ReplyField(call.reply, fields[call.view.Random() % fields.size()], with_values);
    if (EndedTooLong(call.reply, before)) break;
  }
  return Outcome::kDone;
}

// `count` different fields, or all if there are fewer.
Outcome Sample(Call& call, std::vector<model::Field>& fields, uint64_t count, bool with_values) {
  count = std::min<uint64_t>(count, fields.size());
  ReplyFieldsHead(call.reply, count, with_values);
  const bool all = count == fields.size();
  for (uint64_t i = 0; i < count; ++i) {
    if (!all) std::swap(fields[i], fields[i + call.view.Random() % (fields.size() - i)]);
    ReplyField(call.reply, fields[i], with_values);
  }
  return Outcome::kDone;
}

// The count and WITHVALUES of HRANDFIELD; an error to reply, or empty.
std::string_view ParseRandom(Args args, int64_t* count, bool* with_values) {
  if (!ParseInt(args[2], count)) return kNotAnInteger;
  if (*count == INT64_MIN) {
    return "ERR value is out of range, value must between -9223372036854775807 and "
           "9223372036854775807";
  }
  if (args.size() > 4 || (args.size() == 4 && !EqualFolded(args[3], "withvalues"))) return kSyntax;
  *with_values = args.size() == 4;
  if (*with_values && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2)) return kOutOfRange;
  return {};
}

Outcome HRandField(Call& call) {
  int64_t count = 1;
  bool with_values = false;
  const bool counted = call.args.size() > 2;
  if (counted) {
    const std::string_view error = ParseRandom(call.args, &count, &with_values);
    if (!error.empty()) return Refuse(call, error);
  }
  Key key;
  std::vector<model::Field> fields;
  if (const auto leave = FindAll(call, &key, &fields)) return *leave;
  if (!counted) {
    if (fields.empty()) {
      call.reply.Null();
    } else {
      call.reply.Bulk(fields[call.view.Random() % fields.size()].name);
    }
    return Outcome::kDone;
  }
  if (fields.empty() || count == 0) {
    call.reply.Array(0);
    return Outcome::kDone;
  }
  if (count < 0) return Repeat(call, fields, static_cast<uint64_t>(-count), with_values);
  return Sample(call, fields, static_cast<uint64_t>(count), with_values);
}

constexpr Spec kCommands[] = {
    KeyCommand("hgetall", 2, kRead, HGetAll, "hash", "All fields and their values."),
    KeyCommand("hkeys", 2, kRead, HKeys, "hash", "All fields."),
    KeyCommand("hvals", 2, kRead, HVals, "hash", "The values of all fields."),
    KeyCommand("hrandfield", -2, kRead, HRandField, "hash", "Fields drawn at random."),
    Spec{.name = "hscan",
         .arity = -3,
         .flags = kRead,
         .face = Face::kGather,
         .first_key = 1,
         .last_key = 1,
         .key_step = 1,
         .group = "hash",
         .summary = "Walks over the fields of a hash."},
};

}  // namespace

std::span<const Spec> HashWalkCommands() {
  return kCommands;
}

}  // namespace sluice::command
