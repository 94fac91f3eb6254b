// KeyFilter: which keys a store may hold, in memory. RocksDB has filters too, but one for each run
// and table: that a key was never written costs it a look at all of them, microseconds in sum. Here
// it costs one cache miss.
//
// It is a Bloom filter over the hashes of keys (HashedKey), in which a key sets bits of a single
// cache line. Keys are only added, so it says less and less of what was deleted, until it is made
// anew. Of n keys, n in 2^32 others have the hash of one, and pass.
//
// Threads:  any. MayHold sees what was added by those that the caller synchronised with.
// Bounds:   the bytes it is made with; past bytes * kKeysPerByte keys it is of little use.
#pragma once

#include <cstdint>

#include "env/huge_pages.h"

namespace sluice::store {

class KeyFilter {
 public:
  static constexpr uint64_t kKeysPerByte = 2;  // then it lets one missing key in five pass

  explicit KeyFilter(uint64_t bytes);  // 0: everything passes

  bool MayHold(uint32_t hash) const;
  void Add(uint32_t hash);
  // For one of them that will soon follow.
  void Prefetch(uint32_t hash) const;

 private:
  static constexpr uint64_t kLineWords = 8;
  uint64_t* LineOf(uint64_t spread) const;

  uint64_t lines_;
  env::HugePages words_;
};

}  // namespace sluice::store
