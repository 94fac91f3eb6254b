// BucketTable: the buckets of clients and of segment values, found by a name.
//
// A bucket that is full again is as good as none, so a new name takes the place of one that is, and
// nothing is forgotten. Only when all places of a set are in debt, the one with the least is
// forgotten: that client or value may then write up to its burst once more, which is counted.
//
// Owns:     kBytes of memory, taken at once.
// Threads:  any, without a lock. When lanes claim a place at the same moment, each of them may
//           count one write in the wrong bucket.
// Bounds:   kSets * kWays buckets in debt at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "admit/bucket.h"

namespace sluice::admit {

class BucketTable {
 public:
  static constexpr size_t kWays = 8;
  static constexpr size_t kSets = 8'192;
  static constexpr size_t kBytes = kSets * kWays * 16;

  BucketTable();

  // The bucket of that name, full if it is new. Valid as long as the table; another name's once it
  // has been full.
  FullAt& Find(uint64_t name, uint64_t now);
  // Buckets in debt that had to make room.
  uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  struct Cell {
    std::atomic<uint64_t> name{0};  // 0: none
    FullAt full_at{0};
  };
  struct alignas(64) Set {
    std::array<Cell, kWays> cells;
  };

  std::unique_ptr<Set[]> sets_;
  std::atomic<uint64_t> forgotten_{0};
};

}  // namespace sluice::admit
