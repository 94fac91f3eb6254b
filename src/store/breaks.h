// Breaks: work that can wait gives its processor to whoever wants it, every few hundred
// microseconds.
//
// A thread that is not done when its turn begins keeps the processor until a tick of the kernel's
// clock, 4 ms on most machines, and a lane of the same core stands still meanwhile. Where nobody
// waits, a break is one system call.
//
// Threads:  one of its own for each thread.
#pragma once

#include <cstddef>
#include <thread>

namespace sluice::store {

class Breaks {
 public:
  // After so much; a row counts as its bytes and kRowBytes.
  static constexpr size_t kPieceBytes = size_t{128} << 10;
  static constexpr size_t kRowBytes = 256;

  void DidRow(size_t bytes) {
    const size_t did = kRowBytes + bytes;
    if (did < left_) {
      left_ -= did;
      return;
    }
    left_ = kPieceBytes;
    std::this_thread::yield();
  }

 private:
  size_t left_ = kPieceBytes;
};

}  // namespace sluice::store
