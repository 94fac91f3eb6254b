// Interrupt: waiting for a descriptor in a way that another thread can end.
//
//   Wait()   sleeps until the descriptor is ready, the time is up, or somebody raised.
//   Raise()  ends the wait that is under way, or else the next one: none is lost.
//
// Owns:     one descriptor of its own, for Raise.
// Threads:  Raise from any; Wait from one at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "env/linux/socket.h"

namespace sluice::env {

class Interrupt {
 public:
  // kIo: no descriptor can be had.
  static Result<std::unique_ptr<Interrupt>> Open();

  enum class Until : uint8_t { kReadable, kWritable, kEither };
  enum class Outcome : uint8_t { kReady, kTimedOut, kRaised };
  // A descriptor that is broken counts as ready: the next read or write says what is wrong.
  Outcome Wait(int fd, Until until, uint64_t timeout_us);
  void Raise();

 private:
  explicit Interrupt(Fd event) : event_(std::move(event)) {}

  Fd event_;
};

}  // namespace sluice::env
