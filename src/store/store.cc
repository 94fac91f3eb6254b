#include "store/store.h"

namespace sluice::store {

Status Store::GetMany(std::span<Lookup> lookups, size_t bytes_max) {
  size_t bytes = 0;
  for (Lookup& lookup : lookups) {
    if (lookup.answer != Answer::kCold) continue;
    SLUICE_ASSIGN(lookup.answer, Get(lookup.key, Tier::kDisk, &lookup.row));
    bytes += lookup.row.size();
    if (bytes > bytes_max) break;
  }
  return Ok();
}

}  // namespace sluice::store
