#include "base/spsc_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <thread>

#include "base/prng.h"

namespace sluice {
namespace {

// Goal:   the queue is a bounded FIFO: full is refused with the item untouched, empty is said.
// Method: random pushes and pops beside a std::deque, for each small capacity.
TEST(SpscQueue, IsABoundedFifo) {
  for (size_t capacity = 1; capacity <= 9; ++capacity) {
    SpscQueue<std::unique_ptr<uint64_t>> queue(capacity);
    EXPECT_GE(queue.capacity(), capacity);
    EXPECT_LT(queue.capacity(), 2 * capacity);
    std::deque<uint64_t> model;
    Prng prng(capacity);
    for (uint64_t i = 0; i < 5000; ++i) {
      if (prng.OneIn(2)) {
        auto item = std::make_unique<uint64_t>(i);
        const bool pushed = queue.TryPush(std::move(item));
        ASSERT_EQ(pushed, model.size() < queue.capacity());
        ASSERT_EQ(item == nullptr, pushed);
        if (pushed) model.push_back(i);
      } else {
        std::unique_ptr<uint64_t> item;
        const bool popped = queue.TryPop(&item);
        ASSERT_EQ(popped, !model.empty());
        if (!popped) continue;
        ASSERT_EQ(*item, model.front());
        model.pop_front();
      }
      ASSERT_EQ(queue.approximate_size(), model.size());
    }
  }
}

// Goal:   what is taken out, or left inside at the end, is freed at once.
TEST(SpscQueue, KeepsNothingAlive) {
  auto item = std::make_shared<int>(1);
  {
    SpscQueue<std::shared_ptr<int>> queue(2);
    ASSERT_TRUE(queue.TryPush(std::shared_ptr<int>(item)));
    EXPECT_EQ(item.use_count(), 2);
    std::shared_ptr<int> taken;
    ASSERT_TRUE(queue.TryPop(&taken));
    taken.reset();
    EXPECT_EQ(item.use_count(), 1);
    ASSERT_TRUE(queue.TryPush(std::shared_ptr<int>(item)));
  }
  EXPECT_EQ(item.use_count(), 1);
}

// Goal:   between two threads nothing is lost, doubled, reordered or seen half made.
// Method: half a million heap items through queues of several sizes; the content of each is plain
//         memory, so a missing barrier is a data race that the thread sanitizer reports.
TEST(SpscQueue, CarriesEverythingBetweenTwoThreads) {
  for (const size_t capacity : {1, 2, 64, 4096}) {
    constexpr uint64_t kItems = 125'000;
    SpscQueue<std::unique_ptr<uint64_t>> queue(capacity);
    std::thread producer([&queue] {
      for (uint64_t i = 0; i < kItems; ++i) {
        auto item = std::make_unique<uint64_t>(i * 3);
        while (!queue.TryPush(std::move(item))) std::this_thread::yield();
      }
    });
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < kItems; ++i) {
      std::unique_ptr<uint64_t> item;
      while (!queue.TryPop(&item)) std::this_thread::yield();
      if (*item != i * 3) ++wrong;
    }
    producer.join();
    EXPECT_EQ(wrong, 0u) << "capacity " << capacity;
    EXPECT_EQ(queue.approximate_size(), 0u);
  }
}

}  // namespace
}  // namespace sluice
