// LaneHalt: has all lanes stand still between two turns, while something is done that needs it.
//
// Threads:  Pass by the lanes', While by one other.
// Bounds:   kStandUsMost until all stand; else nothing is done.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "ingest/node.h"

namespace sluice::app {

inline constexpr uint64_t kStandUsMost = 20'000;  // a turn is shorter

class LaneHalt final : public ingest::Halt {
 public:
  LaneHalt(size_t lanes, ingest::Fabric& fabric) : lanes_(lanes), fabric_(fabric) {}

  void Pass() override {
    if (wanted_.load(std::memory_order_acquire)) Stand();
  }
  // True: all stood still, and `work` was done. False: some did not, and it was not.
  bool While(const std::function<void()>& work);

 private:
  void Stand();

  const size_t lanes_;
  ingest::Fabric& fabric_;
  std::atomic<bool> wanted_{false};
  std::mutex mutex_;
  std::condition_variable stands_, goes_on_;
  size_t standing_ = 0;
};

}  // namespace sluice::app
