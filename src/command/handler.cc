#include "command/handler.h"

#include <fmt/format.h>

namespace sluice::command {
namespace {

model::Effect EffectOn(const Call& call, model::EffectKind kind) {
  model::Effect effect;
  effect.kind = kind;
  effect.key = call.args[1];
  return effect;
}

}  // namespace

void ReplyWrongArity(resp::Reply& reply, std::string_view command) {
  reply.Error(fmt::format("ERR wrong number of arguments for '{}' command", command));
}

void ReplyBadExpire(resp::Reply& reply, std::string_view command) {
  reply.Error(fmt::format("ERR invalid expire time in '{}' command", command));
}

std::optional<Outcome> Find(Call& call, Key* key) {
  key->name = call.args[1];
  const View::Have have = call.view.FindRow(key->name, &key->row);
  key->exists = have == View::Have::kYes;
  if (have == View::Have::kCold) return Outcome::kCold;
  return std::nullopt;
}

std::optional<Outcome> FindString(Call& call, Key* key) {
  if (const auto leave = Find(call, key)) return leave;
  if (key->exists && key->row.is_hash()) return Refuse(call, kWrongType);
  return std::nullopt;
}

std::optional<Outcome> FindHash(Call& call, Key* key) {
  if (const auto leave = Find(call, key)) return leave;
  if (key->exists && !key->row.is_hash()) return Refuse(call, kWrongType);
  return std::nullopt;
}

uint64_t DefaultExpiry(const model::Policy& policy, uint64_t now_ms) {
  return policy.ttl_ms == 0 ? 0 : now_ms + policy.ttl_ms;
}

uint64_t KeptExpiry(const Call& call, const Key& key) {
  if (key.exists) return key.row.expire_at_ms;
  return DefaultExpiry(call.view.policy(), call.view.now_ms());
}

bool RefusedAsAppendOnly(Call& call) {
  if (!call.view.policy().append_only) return false;
  call.reply.Error(kAppendOnly);
  return true;
}

Outcome Refuse(Call& call, std::string_view error) {
  call.reply.Error(error);
  return Outcome::kDone;
}

void EmitPut(Call& call, std::string_view value, uint64_t expire_at_ms) {
  model::Effect effect = EffectOn(call, model::EffectKind::kPutValue);
  effect.value = value;
  effect.expire_at_ms = expire_at_ms;
  call.view.Emit(effect);
}

void EmitDelete(Call& call) {
  call.view.Emit(EffectOn(call, model::EffectKind::kDelete));
}

void EmitExpireAt(Call& call, uint64_t expire_at_ms) {
  model::Effect effect = EffectOn(call, model::EffectKind::kExpireAt);
  effect.expire_at_ms = expire_at_ms;
  call.view.Emit(effect);
}

}  // namespace sluice::command
