// Rate: how fast a count grows, over the last kSpanTicks looks at it.
//
// Threads:  Look from one; per_second from any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace sluice::server {

class Rate {
 public:
  static constexpr size_t kSpanTicks = 16;

  void Look(uint64_t count, uint64_t now_us) {
    Point& oldest = points_[next_++ % kSpanTicks];
    const uint64_t us = now_us - oldest.us;
    if (oldest.us != 0 && us > 0) {
      per_second_.store((count - oldest.count) * 1'000'000 / us, std::memory_order_relaxed);
    }
    oldest = {count, now_us};
  }
  // 0 until there were enough looks.
  uint64_t per_second() const { return per_second_.load(std::memory_order_relaxed); }

 private:
  struct Point {
    uint64_t count = 0, us = 0;
  };
  std::array<Point, kSpanTicks> points_ = {};
  size_t next_ = 0;
  std::atomic<uint64_t> per_second_{0};
};

}  // namespace sluice::server
