// A bounded queue from one thread to another, without locks.
//
//   TryPush()  puts an item in, or says that the queue is full and leaves the item alone.
//   TryPop()   takes the oldest item out.
//
// What the producer did before TryPush is visible to the consumer after the TryPop of that item.
// The queue wakes nobody: pair it with a wake-up.
//
// Owns:     what is in it; items left at the end are destroyed with it.
// Threads:  one producer, one consumer; approximate_size from any.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"

namespace sluice {

template <class T>
class SpscQueue {
 public:
  // `capacity` is rounded up to a power of two. At the bound TryPush declines; the producer keeps
  // the item and tries again later.
  explicit SpscQueue(size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), items_(std::make_unique<T[]>(mask_ + 1)) {
    SLUICE_CHECK(capacity > 0);
  }
  SpscQueue(const SpscQueue&) = delete;
  SpscQueue& operator=(const SpscQueue&) = delete;

  size_t capacity() const { return mask_ + 1; }

  // False: full; `item` is untouched.
  [[nodiscard]] bool TryPush(T&& item) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) return false;
    }
    items_[tail & mask_] = std::move(item);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // False: empty; `*item` is untouched.
  [[nodiscard]] bool TryPop(T* item) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    // Exchanged, not just moved from: the place must not keep alive what the consumer has taken.
    *item = std::exchange(items_[head & mask_], T{});
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  size_t approximate_size() const {
    const uint64_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }

 private:
  static constexpr size_t kLine = 64;  // what one side writes stays out of the other side's line

  const size_t mask_;
  const std::unique_ptr<T[]> items_;
  alignas(kLine) std::atomic<uint64_t> tail_{0};
  uint64_t head_seen_ = 0;  // the producer's last look at head_
  alignas(kLine) std::atomic<uint64_t> head_{0};
  uint64_t tail_seen_ = 0;  // the consumer's last look at tail_
};

}  // namespace sluice
