// Budget: what all lanes and all background work of a node draw from, as the controller allows it.
//
//   limited(), Take()  a write asks for its units.
//   Rest()             background work asks how long to rest after it has worked.
//
// A write takes its units when any are left, however many it needs: one that is larger than all of
// them runs at once, and those behind it wait until it is paid for (kDebtSteps at most).
//
// Threads:  Allow from one; all else from any.
#pragma once

#include <atomic>
#include <cstdint>

#include "admit/controller.h"

namespace sluice::admit {

// Write units: one for each started KiB.
constexpr uint64_t UnitsOf(size_t bytes) {
  return (bytes + 1023) / 1024;
}

class Budget {
 public:
  // How long a write waits for units before it is refused. Background writes are never refused.
  static constexpr ByPriority<uint64_t> kPatienceUs = {~uint64_t{0}, 1'000'000, 100'000,
                                                       ~uint64_t{0}};
  static constexpr uint64_t kRestUsMax = 1'000'000;

  bool limited() const { return limited_.load(std::memory_order_relaxed); }
  // Units that are left for that class. Critical writes are never held back here.
  uint64_t Left(model::Priority priority) const {
    if (!limited() || priority == model::Priority::kCritical) return ~uint64_t{0};
    const int64_t left = units_[static_cast<size_t>(priority)].load(std::memory_order_relaxed);
    return left > 0 ? static_cast<uint64_t>(left) : 0;
  }
  bool Take(model::Priority priority, uint64_t units) {
    if (Left(priority) == 0) return false;
    if (priority != model::Priority::kCritical) {
      units_[static_cast<size_t>(priority)].fetch_sub(static_cast<int64_t>(units),
                                                      std::memory_order_relaxed);
    }
    return true;
  }
  // Of background work that took `worked_us`.
  uint64_t Rest(uint64_t worked_us) const;

  Cause cause() const { return cause_.load(std::memory_order_relaxed); }
  double pressure() const { return pressure_.load(std::memory_order_relaxed); }
  double background() const { return background_.load(std::memory_order_relaxed); }
  // When somebody who was refused should come again.
  uint64_t RetryMs() const;

  void Allow(const Allowed& allowed);

 private:
  static constexpr double kDebtSteps = 100, kSavedSteps = 2;

  std::atomic<bool> limited_{false};
  std::atomic<Cause> cause_{Cause::kLog};
  std::atomic<double> pressure_{0}, background_{1};
  ByPriority<std::atomic<int64_t>> units_{};
  ByPriority<double> parts_{};  // fractions of units: the stepping thread's own
};

}  // namespace sluice::admit
