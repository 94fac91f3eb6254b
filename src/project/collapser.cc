#include "project/collapser.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/number.h"
#include "project/change.h"
#include "route/matcher.h"

namespace sluice::project {
namespace {

using model::EffectKind;

// Fields of one key that gather before they are folded: a hot one would pile up.
constexpr size_t kFoldLeast = 64;
constexpr size_t kSlotBytes = 192;  // of a key, beside its texts

std::string Printed(int64_t number) {
  char digits[kIntCharsMax];
  return {digits, StoreInt(digits, number)};
}

std::vector<std::string> SegmentsOf(const model::Keyspace& keyspace, std::string_view key) {
  std::vector<std::string> segments;
  route::Segments found;
  if (keyspace.key.segments.empty() || !route::Match(keyspace.key, key, &found)) return segments;
  for (size_t i = 0; i < keyspace.key.segments.size(); ++i) segments.emplace_back(found[i]);
  return segments;
}

void PutValue(Change& change, std::string value) {
  change.kind = Change::Kind::kValue;
  change.value = std::move(value);
  change.fields.clear();
}

void AddValue(Change& change, int64_t delta, int64_t number) {
  const bool first = change.writes == 0;
  const bool goes_on = !first && change.kind == Change::Kind::kValue && change.added &&
                       !__builtin_add_overflow(change.delta, delta, &change.delta);
  PutValue(change, Printed(number));
  change.added = first || goes_on;
  if (first) change.delta = delta;
  if (!change.added) change.delta = 0;
}

void End(Change& change, Change::Kind kind) {
  change.kind = kind;
  change.value.clear();
  change.fields.clear();
  change.added = false;
  change.delta = 0;
}

}  // namespace

bool Collapser::CanTake(const model::Effect& effect) {
  return effect.kind != EffectKind::kPatch && effect.kind != EffectKind::kClearShard;
}

Collapser::Slot& Collapser::SlotOf(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) return *found->second;
  Slot& slot = slots_.emplace_back();
  slot.change.key = key;
  slot.change.segments = SegmentsOf(keyspace_, key);
  by_key_.emplace(slot.change.key, &slot);
  bytes_ += kSlotBytes + 2 * key.size();
  return slot;
}

void Collapser::Add(const model::Effect& effect, Place last, uint64_t time_ms) {
  switch (effect.kind) {
    case EffectKind::
        kExpireAt:  // a row has no end of its own; the key's end is logged when it comes
    case EffectKind::kOnce:
    case EffectKind::kProducer:
      return;
    default:
      break;
  }
  Slot& slot = SlotOf(effect.key);
  Change& change = slot.change;
  switch (effect.kind) {
    case EffectKind::kPutValue:
      bytes_ += effect.value.size();
      PutValue(change, std::string(effect.value));
      change.added = false;
      change.delta = 0;
      break;
    case EffectKind::kAddInt:
      AddValue(change, effect.delta, effect.number);
      break;
    case EffectKind::kDelete:
      End(change, effect.reason == model::DeleteReason::kExpired ? Change::Kind::kExpired
                                                                 : Change::Kind::kDeleted);
      break;
    case EffectKind::kPutFields:
    case EffectKind::kAddField:
    case EffectKind::kDeleteFields:
      AddFields(effect, slot);
      break;
    default:
      SLUICE_CHECK_MSG(false, "an effect that no change can say");
  }
  change.writes += effect.writes;
  change.last = last;
  change.time_ms = time_ms;
}

void Collapser::AddFields(const model::Effect& effect, Slot& slot) {
  Change& change = slot.change;
  const bool first = change.writes == 0;
  if (first || change.kind != Change::Kind::kFields || slot.generation != effect.generation) {
    End(change, Change::Kind::kFields);
    slot.folded = 0;
  }
  slot.generation = effect.generation;
  slot.count = effect.count;
  if (effect.kind == EffectKind::kAddField) {
    PushField(slot, {std::string(effect.value), Printed(effect.number), effect.delta, true});
    return;
  }
  for (const model::Field& field : effect.fields) {
    std::optional<std::string> value;
    if (effect.kind == EffectKind::kPutFields) value.emplace(field.value);
    PushField(slot, {std::string(field.name), std::move(value)});
  }
}

void Collapser::PushField(Slot& slot, FieldChange field) {
  std::vector<FieldChange>& fields = slot.change.fields;
  bytes_ += sizeof field + field.name.size() + (field.value ? field.value->size() : 0);
  fields.push_back(std::move(field));
  if (fields.size() < 2 * slot.folded + kFoldLeast) return;
  FoldFields(fields);
  slot.folded = fields.size();
}

std::vector<Change> Collapser::Take() {
  by_key_.clear();
  std::vector<Change> changes;
  changes.reserve(slots_.size());
  for (Slot& slot : slots_) {
    Change& change = slot.change;
    if (change.kind == Change::Kind::kFields) {
      FoldFields(change.fields);
      const auto present = std::count_if(change.fields.begin(), change.fields.end(),
                                         [](const auto& field) { return field.value.has_value(); });
      // All fields that the hash has now were put here: there are no others.
      change.whole = static_cast<uint64_t>(present) == slot.count;
      if (change.whole) {
        std::erase_if(change.fields, [](const auto& field) { return !field.value; });
      }
    }
    changes.push_back(std::move(change));
  }
  slots_.clear();
  bytes_ = 0;
  std::sort(changes.begin(), changes.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return changes;
}

Change WholeValue(const model::Keyspace& keyspace, std::string_view key, std::string_view value) {
  Change change;
  change.key = key;
  change.segments = SegmentsOf(keyspace, key);
  change.value = value;
  return change;
}

Change WholeHash(const model::Keyspace& keyspace, std::string_view key) {
  Change change = WholeValue(keyspace, key, {});
  change.kind = Change::Kind::kFields;
  change.whole = true;
  return change;
}

std::string KeyOf(const model::Keyspace& keyspace, const std::vector<std::string>& segments) {
  const std::vector<std::string>& literals = keyspace.key.literals;
  SLUICE_CHECK(literals.size() == segments.size() + 1);
  std::string key = literals[0];
  for (size_t i = 0; i < segments.size(); ++i) key += segments[i] + literals[i + 1];
  return key;
}

}  // namespace sluice::project
