#include "env/linux/clock.h"

#include <time.h>

namespace sluice::env {
namespace {

uint64_t Nanoseconds(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t LinuxClock::WallMs() {
  return Nanoseconds(CLOCK_REALTIME) / 1'000'000;
}

uint64_t LinuxClock::MonotonicUs() {
  return Nanoseconds(CLOCK_MONOTONIC) / 1'000;
}

uint64_t ThreadCpuUs() {
  return Nanoseconds(CLOCK_THREAD_CPUTIME_ID) / 1'000;
}

}  // namespace sluice::env
