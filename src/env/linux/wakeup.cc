#include "env/linux/wakeup.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace sluice::env {

Result<Fd> Wakeup::OpenEvent() {
  Fd event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!event.open()) return Fail(Code::kIo, std::string("eventfd: ") + std::strerror(errno));
  return event;
}

void Wakeup::Signal() {
  const uint64_t one = 1;
  // The only error is a counter at its limit of 2^64 - 2, and then the event is pending anyway.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

}  // namespace sluice::env
