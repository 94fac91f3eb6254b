#include "env/linux/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "base/check.h"
#include "env/linux/clock.h"
#include "env/linux/wakeup.h"

namespace sluice::env {
namespace {

short EventsOf(Interrupt::Until until) {
  switch (until) {
    case Interrupt::Until::kReadable:
      return POLLIN;
    case Interrupt::Until::kWritable:
      return POLLOUT;
    case Interrupt::Until::kEither:
      return POLLIN | POLLOUT;
  }
  return POLLIN;
}

}  // namespace

Result<std::unique_ptr<Interrupt>> Interrupt::Open() {
  SLUICE_ASSIGN(Fd event, Wakeup::OpenEvent());
  return std::unique_ptr<Interrupt>(new Interrupt(std::move(event)));
}

Interrupt::Outcome Interrupt::Wait(int fd, Until until, uint64_t timeout_us) {
  LinuxClock clock;
  const uint64_t end_us = clock.MonotonicUs() + timeout_us;
  for (;;) {
    const uint64_t now_us = clock.MonotonicUs();
    const uint64_t left_ms = now_us < end_us ? (end_us - now_us + 999) / 1000 : 0;
    pollfd waiting[2] = {{.fd = fd, .events = EventsOf(until), .revents = 0},
                         {.fd = event_.get(), .events = POLLIN, .revents = 0}};
    const int ready = poll(waiting, 2, static_cast<int>(std::min<uint64_t>(left_ms, INT_MAX)));
    if (ready < 0) {
      SLUICE_CHECK(errno == EINTR || errno == EAGAIN || errno == ENOMEM);
      continue;
    }
    if (waiting[1].revents != 0) {
      uint64_t raised = 0;
      [[maybe_unused]] const ssize_t taken = read(event_.get(), &raised, sizeof raised);
      return Outcome::kRaised;
    }
    if (waiting[0].revents != 0) return Outcome::kReady;
    if (left_ms == 0) return Outcome::kTimedOut;
  }
}

void Interrupt::Raise() {
  const uint64_t one = 1;
  // The only error is a counter at its limit, and then it is raised anyway.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

}  // namespace sluice::env
