// The shard map: who owns which range of tokens, as an immutable value that is replaced whole.
//
// For every keyspace the shards' ranges cover all tokens without gap or overlap; Make() checks it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/ids.h"

namespace sluice::model {

struct Shard {
  ShardId id;
  KeyspaceId keyspace;
  std::string begin, end;  // tokens [begin, end) by bytes; empty end: no upper bound
  Lineage lineage;
  Epoch epoch;         // grows when its owner changes
  std::string owner;   // a node's name
  std::string region;  // geo shards: the region's name; else empty
};

class ShardMap {
 public:
  // Takes shards in any order. kInvalid says which range has a gap or an overlap.
  static Result<std::shared_ptr<const ShardMap>> Make(Epoch epoch, std::vector<Shard> shards);

  Epoch epoch() const { return epoch_; }
  const std::vector<Shard>& shards() const { return shards_; }  // by keyspace, then begin

  // The index into shards() of the one that owns the token.
  // Requires: the keyspace has shards.
  size_t Find(KeyspaceId keyspace, std::string_view token) const;
  // Indexes [first, last) of a keyspace's shards; equal when it has none.
  std::pair<size_t, size_t> OfKeyspace(KeyspaceId keyspace) const;

 private:
  Epoch epoch_;
  std::vector<Shard> shards_;
  std::vector<std::pair<size_t, size_t>> ranges_;  // by keyspace id
  std::vector<uint64_t> heads_;  // first 8 bytes of each begin, zero padded, big-endian value
};

// The start of shard i of n when 64-bit hash tokens are cut evenly; empty for the first.
std::string EvenHashCut(uint32_t i, uint32_t n);

}  // namespace sluice::model
