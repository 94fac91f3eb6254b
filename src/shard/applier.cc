#include "shard/applier.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "model/stored_key.h"

namespace sluice::shard {

using model::Effect;
using model::EffectKind;
using model::RowType;

Status Applier::Apply(const Effect& effect, const At& at, const KnownRow* known) {
  if (effect.kind == EffectKind::kClearShard) {
    ClearShard(effect, at);
    return Ok();
  }
  if (effect.kind == EffectKind::kOnce || effect.kind == EffectKind::kProducer) {
    PutOnce(effect, at);
    return Ok();
  }
  key_ = at.value_key;
  if (key_.bytes.empty()) {
    model::ValueKey(key_bytes_, effect.keyspace, at.token, effect.key);
    key_ = key_bytes_;
  }
  switch (effect.kind) {
    case EffectKind::kPutValue:
      PutString(effect.expire_at_ms, effect.value, at);
      return Ok();
    case EffectKind::kAddInt: {
      char digits[24];
      const auto end = std::to_chars(digits, digits + sizeof digits, effect.number).ptr;
      PutString(effect.expire_at_ms, {digits, static_cast<size_t>(end - digits)}, at);
      return Ok();
    }
    case EffectKind::kPatch:
      return Patch(effect, at, known);
    case EffectKind::kDelete:
      state_.active().Delete(key_, at.turn);
      return Ok();
    case EffectKind::kExpireAt:
      return ExpireAt(effect, at, known);
    case EffectKind::kPutFields:
    case EffectKind::kAddField:
      return PutFields(effect, at, known);
    case EffectKind::kDeleteFields:
      return DeleteFields(effect, at, known);
    default:
      break;
  }
  SLUICE_CHECK_MSG(false, "an effect of an unknown kind");
}

Result<Applier::Base> Applier::Current(const At& at, const KnownRow* known) {
  KnownRow found;
  if (known != nullptr) {
    found = *known;
  } else {
    SLUICE_ASSIGN(const store::Found hit, state_.Find(key_, store::Tier::kDisk, &scratch_));
    found = {hit.answer == store::Answer::kFound, hit.row};
  }
  Base base;
  if (!found.exists) return base;
  if (!model::DecodeRow(found.bytes, &base.row)) {
    return Fail(Code::kCorrupt, "a stored row is not a row");
  }
  base.exists = base.row.expire_at_ms == 0 || base.row.expire_at_ms > at.now_ms;
  return base;
}

void Applier::PutString(uint64_t expire_at_ms, std::string_view value, const At& at) {
  PutBody(expire_at_ms, value, value.size(), at);
}

// A string of that size that begins with `begin`; answers where it lies, for the rest to be filled.
// `begin` may be a part of the row that is replaced: where that has room, nothing is copied.
char* Applier::PutBody(uint64_t expire_at_ms, std::string_view begin, size_t size, const At& at) {
  const size_t head = model::StringHeadSize(expire_at_ms);
  char* row = state_.active().PutSpace(key_, head + size, at.turn);
  char* body = row + head;
  if (!begin.empty() && begin.data() != body) std::memmove(body, begin.data(), begin.size());
  model::StoreStringHead(row, expire_at_ms);
  NoteExpiry(expire_at_ms);
  return body;
}

Status Applier::Patch(const Effect& effect, const At& at, const KnownRow* known) {
  SLUICE_ASSIGN(const Base base, Current(at, known));
  const std::string_view before =
      base.exists && !base.row.is_hash() ? base.row.body : std::string_view();
  const size_t size = std::max<size_t>(before.size(), effect.offset + effect.value.size());
  char* body = PutBody(effect.expire_at_ms, before, size, at);
  if (effect.offset > before.size()) {
    std::memset(body + before.size(), 0, effect.offset - before.size());
  }
  if (!effect.value.empty()) {
    std::memcpy(body + effect.offset, effect.value.data(), effect.value.size());
  }
  return Ok();
}

Status Applier::ExpireAt(const Effect& effect, const At& at, const KnownRow* known) {
  SLUICE_ASSIGN(const Base base, Current(at, known));
  if (!base.exists) return Ok();
  if (!base.row.is_hash()) {
    PutString(effect.expire_at_ms, base.row.body, at);
    return Ok();
  }
  Effect head = effect;
  head.generation = base.row.generation;
  head.count = base.row.count;
  fields_.assign(base.row.body);
  PutHead(head, base.row.type, fields_, at);
  return Ok();
}

void Applier::PutHead(const Effect& effect, RowType type, std::string_view fields, const At& at) {
  model::EncodeHash(row_, type, effect.expire_at_ms, effect.generation, effect.count, fields);
  state_.active().Put(key_, row_, at.turn);
  NoteExpiry(effect.expire_at_ms);
}

void Applier::PutFieldRow(const Effect& effect, std::string_view field, std::string_view value,
                          const At& at) {
  model::FieldPrefix(field_key_, effect.keyspace, at.token, effect.key, effect.generation);
  const size_t group = field_key_.size();
  field_key_.append(field);
  state_.active().Put(field_key_, value, at.turn, group);
}

Status Applier::PutFields(const Effect& effect, const At& at, const KnownRow* known) {
  SLUICE_ASSIGN(const Base base, Current(at, known));
  const bool same = base.exists && base.row.is_hash() && base.row.generation == effect.generation;
  char digits[24];
  model::Field added;
  std::span<const model::Field> put = effect.fields;
  if (effect.kind == EffectKind::kAddField) {
    const auto end = std::to_chars(digits, digits + sizeof digits, effect.number).ptr;
    added = {effect.value, {digits, static_cast<size_t>(end - digits)}};
    put = {&added, 1};
  }
  if (same && base.row.type == RowType::kLargeHash) {
    for (const model::Field& field : put) PutFieldRow(effect, field.name, field.value, at);
    PutHead(effect, RowType::kLargeHash, {}, at);
    return Ok();
  }
  fields_.clear();
  if (same) {
    model::FieldWalk walk(base.row.body);
    while (walk.Next()) {
      const bool replaced =
          std::any_of(put.begin(), put.end(), [&](const auto& f) { return f.name == walk.field; });
      if (!replaced) fields_.append(base.row.body.substr(walk.at, walk.size));
    }
  }
  for (size_t i = 0; i < put.size(); ++i) {
    const bool again = std::any_of(put.begin() + i + 1, put.end(),
                                   [&](const auto& f) { return f.name == put[i].name; });
    if (again) continue;  // the last one of a name wins
    AppendSized(fields_, put[i].name);
    AppendSized(fields_, put[i].value);
  }
  if (effect.count <= model::kSmallHashFieldsMax && fields_.size() <= model::kSmallHashBytesMax) {
    PutHead(effect, RowType::kSmallHash, fields_, at);
    return Ok();
  }
  model::FieldWalk walk(fields_);
  while (walk.Next()) PutFieldRow(effect, walk.field, walk.value, at);
  PutHead(effect, RowType::kLargeHash, {}, at);
  return Ok();
}

Status Applier::DeleteFields(const Effect& effect, const At& at, const KnownRow* known) {
  SLUICE_ASSIGN(const Base base, Current(at, known));
  if (!base.exists || base.row.generation != effect.generation) return Ok();
  if (base.row.type == RowType::kLargeHash) {
    for (const model::Field& field : effect.fields) {
      model::FieldPrefix(field_key_, effect.keyspace, at.token, effect.key, effect.generation);
      const size_t group = field_key_.size();
      field_key_.append(field.name);
      state_.active().Delete(field_key_, at.turn, group);
    }
    PutHead(effect, RowType::kLargeHash, {}, at);
    return Ok();
  }
  fields_.clear();
  model::FieldWalk walk(base.row.body);
  while (walk.Next()) {
    const bool gone = std::any_of(effect.fields.begin(), effect.fields.end(),
                                  [&](const auto& f) { return f.name == walk.field; });
    if (!gone) fields_.append(base.row.body.substr(walk.at, walk.size));
  }
  PutHead(effect, RowType::kSmallHash, fields_, at);
  return Ok();
}

void Applier::PutOnce(const Effect& effect, const At& at) {
  model::OnceRow once;
  once.digest = effect.digest;
  once.reply = effect.value;
  if (effect.kind == EffectKind::kOnce) {
    once.number = effect.expire_at_ms;
    model::OnceKey(key_bytes_, effect.keyspace, at.token, effect.key, effect.user, effect.token);
  } else {
    once.number = effect.offset;
    const auto slot = static_cast<uint16_t>(effect.offset % model::kProducerSlots);
    model::ProducerKey(key_bytes_, effect.keyspace, at.shard_begin, effect.user, effect.token,
                       slot);
  }
  model::EncodeOnce(row_, once);
  state_.active().Put(key_bytes_, row_, at.turn);
  if (effect.kind == EffectKind::kOnce) once_.Add(effect.expire_at_ms, key_bytes_, row_.size());
}

void Applier::ClearShard(const Effect& effect, const At& at) {
  // Once tokens and producers outlive it: a retry of an earlier write must still be recognised.
  for (const model::Kind kind : {model::Kind::kValue, model::Kind::kField}) {
    model::KindPrefix(key_bytes_, effect.keyspace, kind, at.shard_begin);
    model::KindPrefix(row_, effect.keyspace, kind, at.shard_end);
    const std::string end = at.shard_end.empty() ? model::PrefixEnd(row_) : row_;
    state_.active().ClearRange(key_bytes_, end, at.turn);
  }
}

}  // namespace sluice::shard
