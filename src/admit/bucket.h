// Bucket: a token bucket in one atomic word, shared by all lanes without a lock.
//
// The word says when the bucket will be full again. A write moves that time on by what one write
// costs, unless it would then lie further ahead than a full bucket is worth: so a bucket admits at
// most `burst` at once and `writes` per period afterwards, over all who share it, and one that is
// left alone needs nobody to fill it.
//
// Time is monotonic and comes from outside, in microseconds. One that jumped ahead finds the bucket
// full, no more than that. One that jumped back, or a bucket whose burst has become smaller, finds
// it fuller of debt than it can be; from kJumpUs on that is put right: it is empty then, and fills
// at its rate.
//
// Threads:  any; a change of the rate is seen before or after a Take.
// Bounds:   costs are rounded up to 1/16 ns: a rate of ten million is met to 0.1 %. Lanes whose
//           clocks are apart may admit what the rate gives in that time more.
#pragma once

#include <atomic>
#include <cstdint>

#include "model/keyspace.h"

namespace sluice::admit {

inline constexpr uint64_t kTicksPerUs = 16'000;
inline constexpr uint64_t kJumpUs = 1'000'000;  // far beyond what lanes' clocks are apart
inline constexpr uint64_t kClockUsMost = uint64_t{1} << 48;  // a later time is taken for this one

// A rate as buckets count.
struct Pace {
  uint64_t cost = 0;   // of one write, in ticks; 0: no limit
  uint64_t burst = 0;  // writes of a full bucket

  uint64_t full() const { return cost * burst; }
};
Pace PaceOf(const model::Rate& rate);

// A pace that changes while lanes read it. It is seen whole, or as no limit while it changes.
//
// Threads:  one at a time calls Set, any Now.
class LivePace {
 public:
  void Set(const Pace& pace) {
    cost_.store(0, std::memory_order_release);
    changes_.fetch_add(1, std::memory_order_release);
    burst_.store(pace.burst, std::memory_order_release);
    cost_.store(pace.cost, std::memory_order_release);
  }
  Pace Now() const {
    while (true) {
      const uint64_t changes = changes_.load(std::memory_order_acquire);
      const uint64_t cost = cost_.load(std::memory_order_acquire);
      const uint64_t burst = burst_.load(std::memory_order_acquire);
      if (changes_.load(std::memory_order_relaxed) == changes) return {cost, burst};
    }
  }

 private:
  std::atomic<uint64_t> changes_{0}, cost_{0}, burst_{0};
};

uint64_t TicksOf(uint64_t now_us);
// In milliseconds, one at least.
uint64_t MillisOf(uint64_t ticks);

// When it will be full again, in ticks.
using FullAt = std::atomic<uint64_t>;

struct Taken {
  bool yes = false;
  uint64_t wait = 0;  // ticks until it would be yes, if nobody else takes
  uint64_t from = 0;  // when the bucket begins to fill up again what was taken
};

// Takes `writes` at once, or nothing. Requires: pace.cost > 0, 1 <= writes <= pace.burst.
Taken Take(FullAt& bucket, const Pace& pace, uint64_t writes, uint64_t now);
// Undoes a Take of the same time.
void GiveBack(FullAt& bucket, const Pace& pace, uint64_t writes);

// What was taken, for one who may give it back later: the bucket fills it up in this time.
struct Charge {
  FullAt* bucket = nullptr;
  uint64_t from = 0, until = 0;
};
// Gives back what was not filled up by `now`. So a bucket never admits what it would not have
// admitted without the Take.
void Refund(const Charge& charge, uint64_t now);

}  // namespace sluice::admit
