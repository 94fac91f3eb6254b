// TurnBatch: the records that one lane writes in one turn, on their way to the log.
//
// Threads:  none; the lane's own.
// Format:   model/effect.h (records), log/committer.h (the batch)
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/effect.h"
#include "model/ids.h"

namespace sluice::shard {

class TurnBatch {
 public:
  // Shards are named by their index in the map; `shards` many.
  explicit TurnBatch(size_t shards) : counts_(shards) {}

  void Add(size_t shard, model::ShardId id, std::string_view effects) {
    model::AppendRecord(bytes_, id, effects);
    Count(shard);
    ++records_;
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

  bool empty() const { return records_ == 0; }
  std::string_view bytes() const { return bytes_; }
  uint32_t records() const { return records_; }
  const std::vector<size_t>& touched() const { return touched_; }  // shards with records
  uint32_t count(size_t shard) const { return counts_[shard]; }

  void Clear() {
    bytes_.clear();
    records_ = 0;
    for (const size_t shard : touched_) counts_[shard] = 0;
    touched_.clear();
    awaited_ = false;
  }

 private:
  void Count(size_t shard) {
    if (counts_[shard]++ == 0) touched_.push_back(shard);
  }

  std::string bytes_;
  uint32_t records_ = 0;
  bool awaited_ = false;
  std::vector<uint32_t> counts_;
  std::vector<size_t> touched_;
};

}  // namespace sluice::shard
