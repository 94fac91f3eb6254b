#include "admit/bucket_table.h"

#include <algorithm>

namespace sluice::admit {

BucketTable::BucketTable() : sets_(std::make_unique<Set[]>(kSets)) {
  static_assert(sizeof(Set) * kSets == kBytes);
}

FullAt& BucketTable::Find(uint64_t name, uint64_t now) {
  name = std::max<uint64_t>(name, 1);
  Set& set = sets_[name % kSets];
  while (true) {
    Cell* least = &set.cells[0];
    for (Cell& cell : set.cells) {
      if (cell.name.load(std::memory_order_acquire) == name) return cell.full_at;
      if (cell.full_at.load(std::memory_order_relaxed) <
          least->full_at.load(std::memory_order_relaxed)) {
        least = &cell;
      }
    }
    uint64_t old = least->name.load(std::memory_order_relaxed);
    const uint64_t full_at = least->full_at.load(std::memory_order_relaxed);
    if (old == name || !least->name.compare_exchange_strong(old, name, std::memory_order_acq_rel)) {
      continue;  // somebody was faster: look again
    }
    if (full_at > now) {
      forgotten_.fetch_add(1, std::memory_order_relaxed);
      least->full_at.store(now, std::memory_order_relaxed);
    }
    return least->full_at;
  }
}

}  // namespace sluice::admit
