// Node: one of many, as admission sees it: classes of writes that come, the controller and the
// budget of a real node, and a queue that is worked off as fast as the node can.
//
// A write is one unit. Copying a shard in or out is work of the background.
//
// Threads:  none.
// Bounds:   kQueueSeconds of work in the queue; writes wait no longer than the budget's patience.
#pragma once

#include <cstdint>
#include <deque>

#include "admit/budget.h"
#include "admit/controller.h"
#include "admit/delay.h"

namespace sluice::sim::scale {

inline constexpr uint64_t kStepsPerSecond = 1'000'000 / admit::kStepUs;

class Node {
 public:
  // What was done since Take() was called last.
  struct Done {
    admit::ByPriority<uint64_t> came{}, ran{}, refused{};  // units
  };

  // `capacity`: units a second.
  explicit Node(double capacity) : capacity_(capacity) {}

  // What comes from now on, units a second. Of kBackground: what copying would like.
  void Offer(const admit::ByPriority<double>& rates) { rates_ = rates; }
  void Step(uint64_t now_us);
  Done Take() {
    const Done done = done_;
    done_ = {};
    return done;
  }
  double capacity() const { return capacity_; }

 private:
  static constexpr double kQueueSeconds = 10;

  struct Waiting {
    uint64_t units, since_us;
  };

  void Arrive(size_t priority, uint64_t now_us);
  void Run(size_t priority, uint64_t now_us);

  double capacity_;
  admit::Controller controller_;
  admit::Budget budget_;
  admit::Delay delay_;
  admit::ByPriority<double> rates_{}, parts_{};
  admit::ByPriority<std::deque<Waiting>> waiting_;
  admit::ByPriority<uint64_t> used_{};  // of the last step
  double queue_ = 0;                    // units
  Done done_;
};

}  // namespace sluice::sim::scale
