// Collapser makes one Change of all effects on a key, however many: what a table is told of a hot
// counter is its last value.
//
// It says what effects mean, not which: the tail chooses them (project/tail.h).
//
// Owns:     what it has gathered, until Take.
// Threads:  none; the projection's own.
// Bounds:   the caller's, by rows() and bytes().
#pragma once

#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/effect.h"
#include "model/keyspace.h"
#include "project/sink.h"

namespace sluice::project {

class Collapser {
 public:
  // Of the keyspace whose keys it is given. Borrowed.
  explicit Collapser(const model::Keyspace& keyspace) : keyspace_(keyspace) {}

  // Whether a change can say what the effect does: not a patch, which carries a part of the value
  // only, nor the clearing of a shard, which names no keys.
  static bool CanTake(const model::Effect& effect);
  // Requires: CanTake, and the effect follows all that were added before.
  void Add(const model::Effect& effect, Place last, uint64_t time_ms);

  bool empty() const { return slots_.empty(); }
  size_t rows() const { return slots_.size(); }
  size_t bytes() const { return bytes_; }

  // By key; it is empty afterwards.
  std::vector<Change> Take();

 private:
  struct Slot {
    Change change;
    model::Generation generation;  // of a hash
    uint64_t count = 0;            // fields that it has
    size_t folded = 0;             // change.fields when they were folded last
  };
  Slot& SlotOf(std::string_view key);
  void AddFields(const model::Effect& effect, Slot& slot);
  void PushField(Slot& slot, FieldChange field);

  const model::Keyspace& keyspace_;
  std::deque<Slot> slots_;  // they stay where they are: by_key_ points into their keys
  std::unordered_map<std::string_view, Slot*> by_key_;
  size_t bytes_ = 0;
};

// A change that says all of a value, as copying the state makes it.
Change WholeValue(const model::Keyspace& keyspace, std::string_view key, std::string_view value);
Change WholeHash(const model::Keyspace& keyspace, std::string_view key);

// The key that has these segments.
std::string KeyOf(const model::Keyspace& keyspace, const std::vector<std::string>& segments);

}  // namespace sluice::project
