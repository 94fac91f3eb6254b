// Fold: what the writes of one turn to one key have become together: one record, with the last
// value, the sum of the deltas, the number of writes, and every once token.
//
// It takes an effect only if nobody who reads the log can tell the one record from the many, but
// for their number: the state, what replay makes of it and what a projection is told are the same.
//
// Owns:     copies of all that it was given.
// Threads:  none; the lane's own.
// Bounds:   kFoldFieldsMax fields of a hash; else the turn's (shard/shards.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/effect.h"

namespace sluice::shard {

// Fields of a hash that one record speaks of; they are searched one by one.
inline constexpr size_t kFoldFieldsMax = 32;

class Fold {
 public:
  // Becomes the record of one write: its effect, and `tokens` behind it, encoded.
  // False: such a record takes no other writes.
  bool Begin(const model::Effect& effect, std::string_view tokens);
  // The key's next write. False: it needs a record of its own, and nothing has changed.
  // Requires: it is on the same key.
  bool Take(const model::Effect& effect);
  // Of the write that was taken last.
  void AddToken(const model::Effect& token) { model::AppendEffect(tokens_, token); }

  bool IsOn(const model::Effect& effect) const {
    return effect.keyspace == head_.keyspace && effect.key == key_;
  }
  // The record's effects.
  void AppendTo(std::string& effects) const;

  // Memory that a large record left behind is given back.
  void Shrink();

 private:
  // A field of a hash that was put, or added to.
  struct Part {
    model::EffectKind kind;
    uint32_t writes;  // of an addition
    int64_t delta, number;
    std::string name, value;
  };

  bool TakeFields(const model::Effect& effect);
  bool Add(const model::Effect& effect);
  bool Put(const model::Effect& effect);
  Part* Find(std::string_view name);
  Part& NewPart(model::EffectKind kind, std::string_view name);

  model::Effect head_;  // its views stay empty; its `writes`: all but additions to fields
  std::string key_, value_, tokens_;
  std::vector<Part> parts_;  // the first used_ count: their memory serves again
  size_t used_ = 0;
};

}  // namespace sluice::shard
