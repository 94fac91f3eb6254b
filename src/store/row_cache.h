// RowCache: rows of one lane that the store holds as well, kept in memory: asking RocksDB takes
// microseconds even where it caches, and more the more runs it has.
//
// It is a line of generations. One begins when a run reaches the store: it has that run's buffer,
// and what the store answered since. What the youngest says of a key counts, so a run that brings
// newer rows takes nothing out, and the oldest can be dropped at any time. What is found in an
// older one is copied to the youngest, so what is asked for stays.
//
// Threads:  the lane's own.
// Bounds:   `bytes_max`; a row above kRowBytesMax is not kept, nor a run that is larger.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "store/buffer.h"
#include "store/store.h"

namespace sluice::store {

class RowCache {
 public:
  static constexpr size_t kRowBytesMax = 4096;
  static constexpr size_t kGenerationsMax = 4;

  explicit RowCache(size_t bytes_max, std::shared_ptr<Pieces> pieces = nullptr);  // as of Buffer

  // kCold: it does not know. kFound copies the row to `row`.
  Answer Find(const HashedKey& key, std::string* row);
  void PrefetchSlot(uint32_t hash) const;  // as of Buffer
  // What the store answered. Requires: no run of this lane reached the store since it was asked.
  void KeepRow(const HashedKey& key, std::string_view row);
  void KeepMissing(const HashedKey& key);
  // The run is in the store.
  void Stored(std::shared_ptr<const Buffer> run);

  void Clear();

  size_t bytes() const;

 private:
  struct Generation {
    std::shared_ptr<const Buffer> run;  // null: none, or too large to be kept
    std::unique_ptr<Buffer> answers;
  };
  void Begin(std::shared_ptr<const Buffer> run);
  Buffer& Youngest();

  const size_t bytes_max_;
  const std::shared_ptr<Pieces> pieces_;
  std::deque<Generation> generations_;  // youngest first; never empty
};

}  // namespace sluice::store
