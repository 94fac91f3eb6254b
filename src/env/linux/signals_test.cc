#include "env/linux/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

namespace sluice::env {
namespace {

// Goal:   a signal neither ends the process nor is lost: it is told once, whichever thread the
//         kernel would have given it to.
// Method: send each signal to the process, with a second thread running, and wait for it.
TEST(Signals, AreToldOnceAndEndNothing) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  auto signals = Signals::Block({SIGTERM, SIGINT, SIGUSR2});
  ASSERT_TRUE(signals.has_value()) << signals.error().message;
  EXPECT_EQ((*signals)->Wait(0), 0);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR2}) {
    std::thread([signal] { kill(getpid(), signal); }).join();
    EXPECT_EQ((*signals)->Wait(20'000), signal);
    EXPECT_EQ((*signals)->Wait(0), 0);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace sluice::env
