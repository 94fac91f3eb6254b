#include "admit/bucket.h"

#include <algorithm>

namespace sluice::admit {
namespace {

constexpr uint64_t kTicksPerSecond = kTicksPerUs * 1'000'000;
constexpr uint64_t kTicksPerMs = kTicksPerUs * 1'000;
constexpr uint64_t kJump = kJumpUs * kTicksPerUs;

}  // namespace

Pace PaceOf(const model::Rate& rate) {
  if (rate.writes == 0) return {};
  const uint64_t period = rate.period_s * kTicksPerSecond;
  return {period / rate.writes + (period % rate.writes == 0 ? 0 : 1), rate.burst};
}

uint64_t TicksOf(uint64_t now_us) {
  return std::min(now_us, kClockUsMost) * kTicksPerUs;
}

uint64_t MillisOf(uint64_t ticks) {
  return std::max<uint64_t>(1, ticks / kTicksPerMs + (ticks % kTicksPerMs == 0 ? 0 : 1));
}

Taken Take(FullAt& bucket, const Pace& pace, uint64_t writes, uint64_t now) {
  const uint64_t cost = writes * pace.cost, empty = now + pace.full();
  uint64_t full_at = bucket.load(std::memory_order_relaxed);
  while (true) {
    const bool jumped = full_at > empty + kJump;
    const uint64_t begin = jumped ? empty : std::max(full_at, now);
    const bool yes = begin + cost <= empty;
    if (!yes && !jumped) return {false, begin + cost - empty};
    const uint64_t next = yes ? begin + cost : empty;
    if (bucket.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) {
      return {yes, yes ? 0 : begin + cost - empty, begin};
    }
  }
}

void GiveBack(FullAt& bucket, const Pace& pace, uint64_t writes) {
  Refund({&bucket, 0, writes * pace.cost}, 0);
}

void Refund(const Charge& charge, uint64_t now) {
  const uint64_t begin = std::max(charge.from, now);
  if (begin >= charge.until) return;
  uint64_t full_at = charge.bucket->load(std::memory_order_relaxed);
  uint64_t before = 0;
  do {
    before = full_at - std::min(full_at, charge.until - begin);
  } while (!charge.bucket->compare_exchange_weak(full_at, before, std::memory_order_relaxed));
}

}  // namespace sluice::admit
