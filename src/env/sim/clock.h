// A clock that stands still until it is told to move.
#pragma once

#include <atomic>
#include <cstdint>

#include "env/env.h"

namespace sluice::env {

class SimClock final : public Clock {
 public:
  explicit SimClock(uint64_t wall_ms) : wall_ms_(wall_ms) {}

  uint64_t WallMs() override { return wall_ms_ + us_ / 1000; }
  uint64_t MonotonicUs() override { return us_ += look_us_; }

  void Advance(uint64_t us) { us_ += us; }
  // From now on it moves by so much whenever somebody looks how late it is.
  void TickEachLook(uint64_t us) { look_us_ = us; }
  // The wall clock jumps, the monotonic one does not.
  void StepWall(int64_t ms) { wall_ms_ += static_cast<uint64_t>(ms); }

 private:
  std::atomic<uint64_t> wall_ms_;
  std::atomic<uint64_t> us_{1}, look_us_{0};
};

}  // namespace sluice::env
