// Pieces: the memory that write buffers are made of, MiB by MiB, in huge pages. A thread of its own
// makes some ready before they are asked for, and those that come back are used again: a lane takes
// one in no time, where the system may need milliseconds.
//
// Owns:     the pages, until it goes; every piece must have come back by then.
// Threads:  any; Feed on one of its own.
// Bounds:   kAhead pieces more than were in use at any one time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "env/huge_pages.h"

namespace sluice::store {

class Pieces {
 public:
  static constexpr size_t kBytes = size_t{1} << 20;
  static constexpr size_t kAhead = 16;

  struct Return {
    Pieces* to = nullptr;  // null: it came from the heap
    void operator()(char* piece) const;
  };
  using Piece = std::unique_ptr<char[], Return>;

  // From the heap, of any size.
  static Piece OfHeap(size_t bytes) { return Piece(new char[bytes]); }
  // Whatever was in it. From the heap while none is ready.
  Piece Take();

  // Makes pieces ready whenever few are, until Stop.
  void Feed();
  void Stop();

 private:
  std::mutex mutex_;
  std::condition_variable few_;
  std::vector<char*> ready_;
  std::vector<env::HugePages> pages_;
  bool stopping_ = false;
};

}  // namespace sluice::store
