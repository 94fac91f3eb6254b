#include "app/lane_halt.h"

#include <chrono>

namespace sluice::app {

void LaneHalt::Stand() {
  std::unique_lock lock(mutex_);
  if (!wanted_.load(std::memory_order_relaxed)) return;
  if (++standing_ == lanes_) stands_.notify_one();
  goes_on_.wait(lock, [this] { return !wanted_.load(std::memory_order_relaxed); });
  --standing_;
}

bool LaneHalt::While(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  wanted_.store(true, std::memory_order_release);
  for (size_t i = 0; i < lanes_; ++i) fabric_.Wake(model::LaneId(static_cast<uint16_t>(i)));
  const bool all = stands_.wait_for(lock, std::chrono::microseconds(kStandUsMost),
                                    [this] { return standing_ == lanes_; });
  if (all) work();
  wanted_.store(false, std::memory_order_release);
  lock.unlock();
  goes_on_.notify_all();
  return all;
}

}  // namespace sluice::app
