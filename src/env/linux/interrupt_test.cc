// Goal:   a wait ends for what it waits for, for Raise, and at its time; no Raise is lost or heard
//         twice.
#include "env/linux/interrupt.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>

#include "env/linux/socket.h"

namespace sluice::env {
namespace {

using Outcome = Interrupt::Outcome;
using Until = Interrupt::Until;

constexpr uint64_t kForeverUs = 60'000'000;

TEST(Interrupt, EndsAWaitOnce) {
  const auto interrupt = std::move(*Interrupt::Open());
  EXPECT_EQ(interrupt->Wait(-1, Until::kReadable, 0), Outcome::kTimedOut);
  interrupt->Raise();
  interrupt->Raise();
  EXPECT_EQ(interrupt->Wait(-1, Until::kReadable, kForeverUs), Outcome::kRaised);
  EXPECT_EQ(interrupt->Wait(-1, Until::kReadable, 1'000), Outcome::kTimedOut);
  std::thread other([&] { interrupt->Raise(); });
  EXPECT_EQ(interrupt->Wait(-1, Until::kReadable, kForeverUs), Outcome::kRaised);
  other.join();
}

TEST(Interrupt, SeesADescriptorThatIsReady) {
  const auto interrupt = std::move(*Interrupt::Open());
  const auto listener = std::move(*Listener::Open("127.0.0.1:0"));
  const Fd client = std::move(*Connect(listener->address(), 1'000));
  EXPECT_EQ(interrupt->Wait(listener->fd(), Until::kReadable, kForeverUs), Outcome::kReady);
  Fd server;
  ASSERT_EQ(listener->Accept(&server), Listener::Accepted::kOne);
  EXPECT_EQ(interrupt->Wait(client.get(), Until::kReadable, 0), Outcome::kTimedOut);
  EXPECT_EQ(interrupt->Wait(client.get(), Until::kWritable, kForeverUs), Outcome::kReady);
  EXPECT_EQ(interrupt->Wait(client.get(), Until::kEither, kForeverUs), Outcome::kReady);
  ASSERT_EQ(WriteSome(server.get(), "x").result, IoResult::kDone);
  EXPECT_EQ(interrupt->Wait(client.get(), Until::kReadable, kForeverUs), Outcome::kReady);
  // The peer's end, too, is something to read.
  char byte;
  ASSERT_EQ(ReadSome(client.get(), &byte, 1).result, IoResult::kDone);
  server.Close();
  EXPECT_EQ(interrupt->Wait(client.get(), Until::kReadable, kForeverUs), Outcome::kReady);
}

}  // namespace
}  // namespace sluice::env
