// ClientMemory: what the connections of all lanes hold together, commands that came half and
// replies that nobody took, against the share of server.memory that is theirs.
//
// From half of it on, each connection may have little unsent (Session::Blocked). When all of it is
// in use, nothing more is read or run until each lane has ended those of its connections that hold
// most (Connections::EndLargest). One below kUncounted is never ended for the sake of others.
//
// Threads:  any; Limit before the first connection.
// Bounds:   what connections hold below kUncounted each is not counted: then a client of the usual
//           kind costs other lanes nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice::server {

class ClientMemory {
 public:
  static constexpr uint64_t kUncounted = 16 << 10;

  void Limit(uint64_t bytes) { most_ = bytes; }
  // A connection holds `now` bytes. `*told`, its own, remembers what it said before.
  void Hold(uint64_t now, uint64_t* told) {
    now -= now % kUncounted;
    if (now == *told) return;
    used_.fetch_add(now - *told, std::memory_order_relaxed);
    *told = now;
  }

  uint64_t most() const { return most_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  bool Tight() const { return used() > most_ / 2; }
  bool Full() const { return used() > most_; }
  // How much must go before it is well below full; 0 while it is not full.
  uint64_t Excess() const {
    const uint64_t now = used();
    return now > most_ ? now - most_ / 4 * 3 : 0;
  }

 private:
  uint64_t most_ = ~uint64_t{0};
  std::atomic<uint64_t> used_{0};
};

}  // namespace sluice::server
