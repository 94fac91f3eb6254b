// Overload: measures how near the node is to its bounds, and has the controller decide what the
// budget gives out.
//
// A log that takes nothing for longer than kStuckUs has all writes refused, instead of sockets that
// are not read.
//
// Owns:     the controller. Borrows what it measures.
// Threads:  Step from the first lane only; meters() from any.
#pragma once

#include <cstdint>

#include "admit/budget_meters.h"
#include "admit/controller.h"
#include "admit/delay.h"

namespace sluice::server {

struct Context;

inline constexpr uint64_t kStuckUs = 1'000'000;

class Overload {
 public:
  explicit Overload(Context& context) : context_(context) {}

  // Does nothing until admit::kStepUs have passed since it did something.
  void Step(uint64_t now_us);
  // From now on nobody is held back. Before the lanes run.
  void Disable() { enabled_ = false; }
  const admit::BudgetMeters& meters() const { return meters_; }

 private:
  admit::Seen Look(uint64_t passed_us);
  void FindStuckLog(uint64_t now_us);
  void Count(uint64_t passed_us, const admit::Seen& seen, const admit::Allowed& allowed);

  Context& context_;
  admit::Controller controller_;
  admit::Delay log_, lanes_;
  admit::ByPriority<uint64_t> used_{};  // since the start
  bool enabled_ = true;
  uint64_t last_us_ = 0;
  uint64_t log_full_us_ = 0;  // since then; 0: it is not
  admit::BudgetMeters meters_;
};

}  // namespace sluice::server
