// HotKeys: the keys that are written most, of any number of keys, in bounded memory.
//
// The Space-Saving sketch (Metwally, Agrawal and El Abbadi 2005): `capacity` keys have a counter
// each; a key that has none takes over the smallest, with its count as its error. Counts fade by
// half every kHalfLifeUs, by forward decay (Cormode, Shkapenyuk, Srivastava and Xu 2009): instead
// of fading what is there, what comes later weighs more, so that the order of counters never
// changes by waiting.
//
// A key that has more than 1/capacity of all weight is always among them, and its rate is at most
// `error` too high. What a shard has in all fades like the counts, so that a key's share of it is
// right from its first write on.
//
// Owns:     at most `capacity` keys, each cut at kKeyBytesKept; one sum for each shard.
// Threads:  none; one caller at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"

namespace sluice::heat {

inline constexpr uint64_t kHalfLifeUs = 1'000'000;
inline constexpr size_t kKeyBytesKept = 256;

struct HotKey {
  model::KeyspaceId keyspace;
  size_t shard = 0;       // index into the map that it was counted by
  std::string key;        // its first kKeyBytesKept bytes
  double per_second = 0;  // right for a rate that holds; one that began a second ago shows half
  double error = 0;       // per_second is too high by this at most
  double share = 0;       // of its shard's writes, at most 1; too high when per_second is
};

class HotKeys {
 public:
  explicit HotKeys(size_t capacity);
  ~HotKeys();
  HotKeys(HotKeys&&) noexcept;
  HotKeys& operator=(HotKeys&&) noexcept;

  // `hash`: 64 bits of keyspace and key; keys whose hashes are equal are taken for one.
  // Requires: now_us never steps back.
  void Add(model::KeyspaceId keyspace, size_t shard, std::string_view key, uint64_t hash,
           double weight, uint64_t now_us);
  // The hottest first, `most` at the most.
  std::vector<HotKey> Top(size_t most, uint64_t now_us) const;

 private:
  struct Table;

  void Rebase(uint64_t now_us);

  std::unique_ptr<Table> table_;
  uint64_t base_us_ = 0;  // at which one write weighs 1
};

}  // namespace sluice::heat
