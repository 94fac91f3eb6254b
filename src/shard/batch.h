// TurnBatch: the records that one lane writes in one turn, on their way to the log.
//
// Writes to one key become one record where that changes nothing (shard/fold.h). It stands where
// the first of them would: the log takes a turn wholly or not at all, so a later write in an
// earlier record is no more durable than those between. What must come behind a record, because it
// is another kind of write on its key, ends it: the key's next write begins a new one.
//
//   Join()  a write becomes a part of its key's open record; else Add() appends one of its own.
//   Seal()  the turn is over: bytes() are what the log gets.
//
// Threads:  none; the lane's own.
// Format:   model/effect.h (records), log/committer.h (the batch)
// Bounds:   the turn's (shard/shards.h). Open records are found through kSeats seats, by their
//           key's hash: keys that meet in one end each other's records early.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "model/effect.h"
#include "model/ids.h"
#include "shard/fold.h"

namespace sluice::shard {

class TurnBatch {
 public:
  // Shards are named by their index in the map; `shards` many.
  explicit TurnBatch(size_t shards) : counts_(shards), seats_(kSeats) {}

  // Makes the effect a part of the key's open record. False: it was not to be, and the key has no
  // open record any more. `hash`: of the key's stored name.
  bool Join(uint32_t hash, const model::Effect& effect);
  // A once token of the write that joined last.
  void AddToken(const model::Effect& token);
  // The key's next write must come behind what was added so far.
  void End(uint32_t hash);
  // The same for all keys.
  void EndAll() { ++era_; }

  void Add(size_t shard, model::ShardId id, std::string_view effects) {
    model::AppendRecord(bytes_, id, effects);
    Count(shard);
    ++records_;
  }
  // The record may take further writes to its key.
  void AddOpen(size_t shard, model::ShardId id, std::string_view effects, uint32_t hash) {
    SeatOf(hash) = {era_, hash, static_cast<uint32_t>(bytes_.size())};
    Add(shard, id, effects);
  }
  // One record of several shards. `shards[i]` is the index of `parts[i]`; each shard appears once.
  void Add(std::span<const size_t> shards, std::span<const model::RecordPart> parts) {
    model::AppendRecord(bytes_, parts);
    for (const size_t shard : shards) Count(shard);
    ++records_;
  }

  // A reply waits for these records to be durable.
  void Await() { awaited_ = true; }
  bool awaited() const { return awaited_; }

  // Brings each record that took several writes to its place. Nothing but Clear may follow.
  void Seal();

  bool empty() const { return records_ == 0; }
  // What writes brought, folded or not.
  size_t size() const { return bytes_.size() + folded_bytes_; }
  std::string_view bytes() const { return bytes_; }
  uint32_t records() const { return records_; }
  const std::vector<size_t>& touched() const { return touched_; }  // shards with records
  uint32_t count(size_t shard) const { return counts_[shard]; }

  void Clear();
  // The map has so many shards now. Requires: empty().
  void Resize(size_t shards) { counts_.assign(shards, 0); }

 private:
  static constexpr size_t kSeats = 2048;
  static constexpr uint32_t kFolded = uint32_t{1} << 31;

  // Where a key's open record is: at this offset or, with kFolded, in this one of folds_.
  struct Seat {
    uint64_t era = 0;  // another than era_: there is none
    uint32_t hash = 0;
    uint32_t at = 0;
  };
  // A record and what takes its place.
  struct Folded {
    Fold fold;
    size_t at = 0, size = 0;
    model::ShardId shard;
  };

  Seat& SeatOf(uint32_t hash) { return seats_[hash % kSeats]; }
  bool GoOn(const Seat& seat, const model::Effect& effect);
  bool BeginFold(Seat& seat, const model::Effect& effect);
  void Count(size_t shard) {
    if (counts_[shard]++ == 0) touched_.push_back(shard);
  }

  std::string bytes_;
  uint32_t records_ = 0;
  bool awaited_ = false;
  std::vector<uint32_t> counts_;
  std::vector<size_t> touched_;

  std::vector<Seat> seats_;
  uint64_t era_ = 1;
  std::vector<Folded> folds_;  // the first used_ count: their memory serves again
  size_t used_ = 0;
  size_t last_ = 0;  // of folds_: what took a write last
  size_t folded_bytes_ = 0;
  std::string sealed_, effects_;  // for use in Seal
  std::vector<size_t> order_;
  std::vector<model::RecordPart> parts_;
  std::vector<model::Field> fields_;
};

}  // namespace sluice::shard
