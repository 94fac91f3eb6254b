// The shard map: who owns which range of tokens, as an immutable value that is replaced whole.
//
// For every keyspace the shards' ranges cover all tokens without gap or overlap; Make() checks it.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/ids.h"

namespace sluice::model {

// A shard that nobody has placed yet: the node spreads these over its lanes.
inline constexpr LaneId kAnyLane{std::numeric_limits<uint16_t>::max()};

struct Shard {
  ShardId id;
  KeyspaceId keyspace;
  std::string begin, end;  // tokens [begin, end) by bytes; empty end: no upper bound
  Lineage lineage;
  Epoch epoch;             // grows when its owner changes
  std::string owner;       // a node's name
  std::string region;      // geo shards: the region's name; else empty
  LaneId lane = kAnyLane;  // of its owner

  friend bool operator==(const Shard&, const Shard&) = default;
};

// A shard that was split or merged. Its records may still be in the log, its place in sinks, and
// its producers' numbers in the store.
struct RetiredShard {
  ShardId id;
  KeyspaceId keyspace;
  std::string begin, end;
  Lineage lineage;
  Epoch epoch;
};

class ShardMap {
 public:
  // Takes shards in any order, retired ones in the order in which they retired. kInvalid says which
  // range has a gap or an overlap.
  static Result<std::shared_ptr<const ShardMap>> Make(Epoch epoch, std::vector<Shard> shards,
                                                      std::vector<RetiredShard> retired = {});

  Epoch epoch() const { return epoch_; }
  const std::vector<Shard>& shards() const { return shards_; }  // by keyspace, then begin
  const std::vector<RetiredShard>& retired() const { return retired_; }
  // Where retired shards began that held a part of this one's range, but for its own begin. Sorted,
  // each once. `shard`: an index into shards().
  std::span<const std::string> FormerBegins(size_t shard) const { return former_[shard]; }

  // The index into shards() of the one that owns the token.
  // Requires: the keyspace has shards.
  size_t Find(KeyspaceId keyspace, std::string_view token) const;
  // Indexes [first, last) of a keyspace's shards; equal when it has none.
  std::pair<size_t, size_t> OfKeyspace(KeyspaceId keyspace) const;

 private:
  void AddFormer(const RetiredShard& was);

  Epoch epoch_;
  std::vector<Shard> shards_;
  std::vector<RetiredShard> retired_;
  std::vector<std::vector<std::string>> former_;   // beside shards_
  std::vector<std::pair<size_t, size_t>> ranges_;  // by keyspace id
  std::vector<uint64_t> heads_;  // first 8 bytes of each begin, zero padded, big-endian value
};

// The start of shard i of n when 64-bit hash tokens are cut evenly; empty for the first.
std::string EvenHashCut(uint32_t i, uint32_t n);

}  // namespace sluice::model
