#include "app/disk_watch.h"

#include <algorithm>

#include "base/log_line.h"

namespace sluice::app {

void DiskWatch::Look() {
  const Result<uint64_t> free = disk_.files.FreeBytes(disk_.dir);
  if (!free.has_value()) return;
  const uint64_t tables = disk_.store.health().table_bytes;
  const uint64_t wanted = needs_.steady_bytes + std::min(needs_.merge_bytes, tables);
  const uint64_t reserve =
      std::min(wanted, (*free + disk_.log.bytes() + tables) / kReserveDiskPart);
  std::atomic<bool>& low = node_.disk_low;
  const bool now = *free < (low ? reserve / 16 * 17 : reserve);
  meters_.free_bytes.Set(static_cast<int64_t>(*free));
  meters_.reserve_bytes.Set(static_cast<int64_t>(reserve));
  meters_.low.Set(now ? 1 : 0);
  if (low.exchange(now) == now) return;
  disk_.store.MergeAtOnce(now);
  LogWarning("disk",
             now ? "writes are refused: the disk is nearly full, and the rest is kept for recovery "
                   "and for what deletes"
                 : "writes are taken again: there is room on the disk",
             {{"free_bytes", *free}, {"reserve_bytes", reserve}});
}

}  // namespace sluice::app
