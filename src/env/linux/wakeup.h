// Wakes a sleeping thread from any other thread, with a system call only when it really sleeps.
//
// The sleeper's turn: PrepareSleep; if it says yes, wait for fd() to become readable (with a
// timeout, or with other descriptors); Awake; then look at every queue. Whoever put something into
// a queue before a Notify is seen by the first look after it: no wake-up is lost, and many Notify
// calls between two looks cost one system call or none.
//
// Threads:  Notify from any; the rest from the sleeper.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"
#include "env/linux/socket.h"

namespace sluice::env {

class Wakeup {
 public:
  // kIo: no descriptor can be had.
  static Result<Fd> OpenEvent();
  explicit Wakeup(Fd event) : event_(std::move(event)) {}
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void Notify() {
    // Always a read-modify-write, even when the state says notified already: it orders the caller's
    // earlier writes before the sleeper's next look.
    if (state_.exchange(State::kNotified, std::memory_order_acq_rel) == State::kAsleep) Signal();
  }

  // True when nobody has called Notify since the last Awake: the thread may sleep.
  bool PrepareSleep() {
    State expected = State::kAwake;
    return state_.compare_exchange_strong(expected, State::kAsleep, std::memory_order_acq_rel);
  }
  void Awake() { state_.exchange(State::kAwake, std::memory_order_acq_rel); }

  // Every Signal is a new edge; watched edge-triggered it never has to be read.
  int fd() const { return event_.get(); }

 private:
  enum class State : uint8_t { kAwake, kAsleep, kNotified };
  void Signal();

  Fd event_;
  alignas(64) std::atomic<State> state_{State::kAwake};
};

}  // namespace sluice::env
