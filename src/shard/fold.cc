#include "shard/fold.h"

#include <boost/container/static_vector.hpp>
#include <utility>

namespace sluice::shard {
namespace {

using model::Effect;
using model::EffectKind;

constexpr size_t kKeptBytesMax = 4096;  // of each text, from one turn to the next

void GiveBack(std::string& text) {
  if (text.capacity() > kKeptBytesMax) std::string().swap(text);
}

bool OnFields(EffectKind kind) {
  return kind == EffectKind::kPutFields || kind == EffectKind::kAddField;
}

}  // namespace

bool Fold::Begin(const Effect& effect, std::string_view tokens) {
  const bool on_fields = OnFields(effect.kind);
  if (!on_fields && effect.kind != EffectKind::kPutValue && effect.kind != EffectKind::kAddInt) {
    return false;
  }
  if (effect.fields.size() > kFoldFieldsMax) return false;
  head_ = effect;
  head_.key = head_.value = {};
  head_.fields = {};
  key_ = effect.key;
  tokens_ = tokens;
  used_ = 0;
  if (!on_fields) {
    value_ = effect.value;
    return true;
  }
  head_.writes = 0;
  return TakeFields(effect);
}

bool Fold::Take(const Effect& effect) {
  if (OnFields(head_.kind)) return OnFields(effect.kind) && TakeFields(effect);
  if (effect.kind != head_.kind) return false;
  if (effect.kind == EffectKind::kAddInt) {
    // A new time to live is a change of its own.
    if (effect.expire_at_ms != head_.expire_at_ms) return false;
    int64_t sum = 0;
    if (__builtin_add_overflow(head_.delta, effect.delta, &sum)) return false;
    head_.delta = sum;
    head_.number = effect.number;
  } else {
    head_.expire_at_ms = effect.expire_at_ms;
    value_ = effect.value;
  }
  head_.writes += effect.writes;
  return true;
}

Fold::Part* Fold::Find(std::string_view name) {
  for (size_t i = 0; i < used_; ++i) {
    if (parts_[i].name == name) return &parts_[i];
  }
  return nullptr;
}

Fold::Part& Fold::NewPart(EffectKind kind, std::string_view name) {
  if (used_ == parts_.size()) parts_.emplace_back();
  Part& part = parts_[used_++];
  part.kind = kind;
  part.writes = 0;
  part.delta = 0;
  part.name = name;
  return part;
}

// Changes of different fields may change places; those of one field may not, unless both add.
bool Fold::TakeFields(const Effect& effect) {
  if (effect.generation != head_.generation || effect.expire_at_ms != head_.expire_at_ms) {
    return false;
  }
  const bool taken = effect.kind == EffectKind::kAddField ? Add(effect) : Put(effect);
  if (taken) head_.count = effect.count;
  return taken;
}

bool Fold::Add(const Effect& effect) {
  Part* part = Find(effect.value);
  if (part == nullptr && used_ == kFoldFieldsMax) return false;
  if (part == nullptr) part = &NewPart(EffectKind::kAddField, effect.value);
  int64_t sum = 0;
  if (part->kind != EffectKind::kAddField ||
      __builtin_add_overflow(part->delta, effect.delta, &sum)) {
    return false;
  }
  part->delta = sum;
  part->number = effect.number;
  part->writes += effect.writes;
  return true;
}

bool Fold::Put(const Effect& effect) {
  size_t added = 0;
  for (const model::Field& field : effect.fields) {
    const Part* part = Find(field.name);
    if (part != nullptr && part->kind != EffectKind::kPutFields) return false;
    added += part == nullptr ? 1 : 0;
  }
  if (used_ + added > kFoldFieldsMax) return false;
  for (const model::Field& field : effect.fields) {
    Part* part = Find(field.name);
    if (part == nullptr) part = &NewPart(EffectKind::kPutFields, field.name);
    part->value = field.value;
  }
  head_.writes += effect.writes;
  return true;
}

void Fold::AppendTo(std::string& effects) const {
  Effect effect = head_;
  effect.key = key_;
  if (!OnFields(head_.kind)) {
    effect.value = value_;
    model::AppendEffect(effects, effect);
  } else {
    boost::container::static_vector<model::Field, kFoldFieldsMax> put;
    for (size_t i = 0; i < used_; ++i) {
      const Part& part = parts_[i];
      if (part.kind == EffectKind::kPutFields) {
        put.push_back({part.name, part.value});
        continue;
      }
      effect.kind = EffectKind::kAddField;
      effect.writes = part.writes;
      effect.value = part.name;
      effect.delta = part.delta;
      effect.number = part.number;
      model::AppendEffect(effects, effect);
    }
    effect.kind = EffectKind::kPutFields;
    effect.writes = head_.writes;
    effect.fields = {put.data(), put.size()};
    if (!put.empty()) model::AppendEffect(effects, effect);
  }
  effects += tokens_;
}

void Fold::Shrink() {
  for (std::string* text : {&key_, &value_, &tokens_}) GiveBack(*text);
  for (Part& part : parts_) {
    GiveBack(part.name);
    GiveBack(part.value);
  }
}

}  // namespace sluice::shard
