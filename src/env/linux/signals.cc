#include "env/linux/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace sluice::env {

Result<std::unique_ptr<Signals>> Signals::Block(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  Fd fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.open()) return Fail(Code::kIo, std::string("signalfd: ") + std::strerror(errno));
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return std::unique_ptr<Signals>(new Signals(std::move(fd)));
}

int Signals::Wait(int timeout_ms) {
  pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, timeout_ms) <= 0) return 0;
  signalfd_siginfo info{};
  if (read(fd_.get(), &info, sizeof info) != sizeof info) return 0;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace sluice::env
