#include "model/effect.h"

namespace sluice::model {
namespace {

constexpr uint8_t kHasWrites = 0x40;

void AppendHashHead(std::string& to, const Effect& effect) {
  AppendVarint(to, effect.expire_at_ms);
  AppendLe(to, effect.generation.value);
  AppendVarint(to, effect.count);
}

void ReadHashHead(Reader& reader, Effect* effect) {
  effect->expire_at_ms = reader.Varint();
  effect->generation = Generation(reader.Le<uint64_t>());
  effect->count = reader.Varint();
}

// Names, and values where the kind has them, into `scratch`.
bool ReadFields(Reader& reader, bool with_values, Effect* effect, std::vector<Field>* scratch) {
  const uint64_t n = reader.Varint();
  if (n > reader.left()) return false;  // each takes at least one byte
  scratch->clear();
  for (uint64_t i = 0; i < n; ++i) {
    Field field;
    field.name = reader.Sized();
    if (with_values) field.value = reader.Sized();
    scratch->push_back(field);
  }
  effect->fields = *scratch;
  return reader.ok();
}

void AppendBody(std::string& to, const Effect& effect) {
  switch (effect.kind) {
    case EffectKind::kPutValue:
      AppendVarint(to, effect.expire_at_ms);
      AppendSized(to, effect.value);
      return;
    case EffectKind::kAddInt:
      AppendVarint(to, effect.expire_at_ms);
      AppendVarint(to, ZigZag(effect.delta));
      AppendVarint(to, ZigZag(effect.number));
      return;
    case EffectKind::kPatch:
      AppendVarint(to, effect.expire_at_ms);
      AppendVarint(to, effect.offset);
      AppendSized(to, effect.value);
      return;
    case EffectKind::kDelete:
      to.push_back(static_cast<char>(effect.reason));
      return;
    case EffectKind::kExpireAt:
      AppendVarint(to, effect.expire_at_ms);
      return;
    case EffectKind::kPutFields:
      AppendHashHead(to, effect);
      AppendVarint(to, effect.fields.size());
      for (const Field& field : effect.fields) {
        AppendSized(to, field.name);
        AppendSized(to, field.value);
      }
      return;
    case EffectKind::kAddField:
      AppendHashHead(to, effect);
      AppendSized(to, effect.value);
      AppendVarint(to, ZigZag(effect.delta));
      AppendVarint(to, ZigZag(effect.number));
      return;
    case EffectKind::kDeleteFields:
      AppendHashHead(to, effect);
      AppendVarint(to, effect.fields.size());
      for (const Field& field : effect.fields) AppendSized(to, field.name);
      return;
    case EffectKind::kOnce:
      AppendSized(to, effect.user);
      AppendSized(to, effect.token);
      AppendVarint(to, effect.expire_at_ms);
      AppendLe(to, effect.digest);
      AppendSized(to, effect.value);
      return;
    case EffectKind::kProducer:
      AppendSized(to, effect.user);
      AppendSized(to, effect.token);
      AppendVarint(to, effect.offset);
      AppendLe(to, effect.digest);
      AppendSized(to, effect.value);
      return;
    case EffectKind::kClearShard:
      return;
  }
}

bool ReadBody(Reader& reader, Effect* effect, std::vector<Field>* scratch) {
  switch (effect->kind) {
    case EffectKind::kPutValue:
      effect->expire_at_ms = reader.Varint();
      effect->value = reader.Sized();
      return reader.ok();
    case EffectKind::kAddInt:
      effect->expire_at_ms = reader.Varint();
      effect->delta = UnZigZag(reader.Varint());
      effect->number = UnZigZag(reader.Varint());
      return reader.ok();
    case EffectKind::kPatch:
      effect->expire_at_ms = reader.Varint();
      effect->offset = reader.Varint();
      effect->value = reader.Sized();
      return reader.ok();
    case EffectKind::kDelete:
      effect->reason = static_cast<DeleteReason>(reader.Le<uint8_t>());
      return reader.ok() && effect->reason <= DeleteReason::kExpired;
    case EffectKind::kExpireAt:
      effect->expire_at_ms = reader.Varint();
      return reader.ok();
    case EffectKind::kPutFields:
      ReadHashHead(reader, effect);
      return ReadFields(reader, true, effect, scratch);
    case EffectKind::kAddField:
      ReadHashHead(reader, effect);
      effect->value = reader.Sized();
      effect->delta = UnZigZag(reader.Varint());
      effect->number = UnZigZag(reader.Varint());
      return reader.ok();
    case EffectKind::kDeleteFields:
      ReadHashHead(reader, effect);
      return ReadFields(reader, false, effect, scratch);
    case EffectKind::kOnce:
      effect->user = reader.Sized();
      effect->token = reader.Sized();
      effect->expire_at_ms = reader.Varint();
      effect->digest = reader.Le<uint64_t>();
      effect->value = reader.Sized();
      return reader.ok();
    case EffectKind::kProducer:
      effect->user = reader.Sized();
      effect->token = reader.Sized();
      effect->offset = reader.Varint();
      effect->digest = reader.Le<uint64_t>();
      effect->value = reader.Sized();
      return reader.ok();
    case EffectKind::kClearShard:
      return reader.ok();
  }
  return false;
}

}  // namespace

void AppendEffect(std::string& to, const Effect& effect) {
  const uint8_t kind = static_cast<uint8_t>(effect.kind);
  to.push_back(static_cast<char>(effect.writes > 1 ? kind | kHasWrites : kind));
  if (effect.writes > 1) AppendVarint(to, effect.writes);
  AppendVarint(to, effect.keyspace.value);
  AppendSized(to, effect.key);
  AppendBody(to, effect);
}

bool ReadEffect(Reader& reader, Effect* effect, std::vector<Field>* scratch) {
  *effect = Effect();
  const uint8_t kind = reader.Le<uint8_t>();
  effect->kind = static_cast<EffectKind>(kind & ~kHasWrites);
  const uint64_t writes = kind & kHasWrites ? reader.Varint() : 1;
  const uint64_t keyspace = reader.Varint();
  if (writes == 0 || writes > UINT32_MAX || keyspace > UINT16_MAX) return false;
  effect->writes = static_cast<uint32_t>(writes);
  effect->keyspace = KeyspaceId(static_cast<uint16_t>(keyspace));
  effect->key = reader.Sized();
  return reader.ok() && ReadBody(reader, effect, scratch);
}

void AppendRecord(std::string& to, ShardId shard, std::string_view effects) {
  const size_t part = VarintSize(shard.value) + VarintSize(effects.size()) + effects.size();
  AppendVarint(to, 1 + part);
  AppendVarint(to, 1);
  AppendVarint(to, shard.value);
  AppendSized(to, effects);
}

void AppendRecord(std::string& to, std::span<const RecordPart> parts) {
  size_t body = VarintSize(parts.size());
  for (const RecordPart& part : parts) {
    body += VarintSize(part.shard.value) + VarintSize(part.effects.size()) + part.effects.size();
  }
  AppendVarint(to, body);
  AppendVarint(to, parts.size());
  for (const RecordPart& part : parts) {
    AppendVarint(to, part.shard.value);
    AppendSized(to, part.effects);
  }
}

bool ReadRecord(Reader& reader, std::vector<RecordPart>* parts) {
  parts->clear();
  Reader body(reader.Sized());
  if (!reader.ok()) return false;
  const uint64_t n = body.Varint();
  if (n > body.left()) return false;
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t shard = body.Varint();
    if (shard > UINT32_MAX) return false;
    parts->push_back({ShardId(static_cast<uint32_t>(shard)), body.Sized()});
  }
  return body.ok() && body.done() && n > 0;
}

}  // namespace sluice::model
