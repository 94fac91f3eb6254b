// Signals as something to wait for, so that no code runs in a signal handler.
//
// Threads:  Block before the first thread is started; Wait from one thread at a time.
#pragma once

#include <initializer_list>
#include <memory>

#include "base/status.h"
#include "env/linux/socket.h"

namespace sluice::env {

class Signals {
 public:
  // From now on `signals` do not interrupt this thread, nor any that it starts: they wait here.
  //   kIo  no descriptor can be had. The signals do what they did before.
  static Result<std::unique_ptr<Signals>> Block(std::initializer_list<int> signals);

  // The next of them, or 0 when none came within `timeout_ms` (-1: no limit).
  int Wait(int timeout_ms);

  // Readable when a signal waits; for a Loop.
  int fd() const { return fd_.get(); }

 private:
  explicit Signals(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace sluice::env
