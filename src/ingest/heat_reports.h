// HeatReports: what each lane tells of its heat once a second, on its way to who watches the node.
//
// Threads:  Put from each lane, Take from one; a lock a second.
// Bounds:   kReportsWaiting of each lane: while nobody takes them, the oldest is dropped.
#pragma once

#include <algorithm>
#include <deque>
#include <mutex>
#include <vector>

#include "heat/lane_heat.h"
#include "model/ids.h"

namespace sluice::ingest {

inline constexpr size_t kReportsWaiting = 4;
inline constexpr size_t kHotKeysTold = 32;  // by each lane

struct HeatReport {
  struct Shard {
    model::ShardId shard;
    heat::ShardHeat heat;
  };
  struct Key {
    model::ShardId shard;
    heat::HotKey hot;
  };

  model::LaneId lane;
  // What it says of keys and tokens may be shown once the log is durable up to here.
  model::Lsn upto;
  std::vector<Shard> shards;  // the lane's
  std::vector<Key> keys;      // the hottest first
  std::vector<heat::Sample> samples;
};

class HeatReports {
 public:
  void Put(HeatReport report) {
    const std::lock_guard lock(mutex_);
    size_t of_lane = 0;
    for (const HeatReport& one : waiting_) of_lane += one.lane == report.lane ? 1 : 0;
    if (of_lane >= kReportsWaiting) {
      waiting_.erase(std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const HeatReport& one) { return one.lane == report.lane; }));
    }
    waiting_.push_back(std::move(report));
  }
  // Those that may be shown, in order.
  std::vector<HeatReport> Take(model::Lsn durable) {
    const std::lock_guard lock(mutex_);
    std::vector<HeatReport> taken;
    std::deque<HeatReport> left;
    for (HeatReport& report : waiting_) {
      if (report.upto <= durable) {
        taken.push_back(std::move(report));
      } else {
        left.push_back(std::move(report));
      }
    }
    waiting_ = std::move(left);
    return taken;
  }

 private:
  std::mutex mutex_;
  std::deque<HeatReport> waiting_;
};

}  // namespace sluice::ingest
