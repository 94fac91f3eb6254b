// KeptStats: what INFO says of the shards, gathered once a second at the most, however many ask.
//
// Stats without any key are not kept: a database that has keys never shows as empty.
//
// Threads:  any; one lock, held briefly.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "ingest/stats.h"

namespace sluice::server {

class KeptStats {
 public:
  static constexpr uint64_t kKeptUs = 1'000'000;
  using Stats = std::shared_ptr<const ingest::NodeStats>;

  // What was kept less than kKeptUs ago; older ones while somebody gathers. Null: gather them, and
  // Keep what comes.
  Stats Recent(uint64_t now_us) {
    const std::lock_guard lock(mutex_);
    if (stats_ == nullptr || now_us - asked_us_ < kKeptUs) return stats_;
    asked_us_ = now_us;
    return nullptr;
  }
  void Keep(Stats stats, uint64_t now_us) {
    const std::lock_guard lock(mutex_);
    stats_ = stats->keys() > 0 ? std::move(stats) : nullptr;
    asked_us_ = now_us;
  }

 private:
  std::mutex mutex_;
  Stats stats_;
  uint64_t asked_us_ = 0;
};

}  // namespace sluice::server
