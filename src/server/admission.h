// Admission: whether a session's next write runs now, waits for units of the budget, or is refused.
//
// It waits first, as long as its class has patience, and what follows it on the connection waits
// with it. Once it was refused, what follows finds no patience left until a write has run again.
// A write under a once token is never refused: it may have been applied the first time.
//
// Threads:  none; the session's lane.
#pragma once

#include <cstdint>

#include "admit/budget.h"

namespace sluice::server {

class Admission {
 public:
  enum class Verdict : uint8_t { kRun, kWait, kRefuse };
  struct Write {
    model::Priority priority = model::Priority::kCritical;
    uint64_t units = 0;
    bool refusable = true;
  };

  Verdict Ask(admit::Budget& budget, const Write& write, uint64_t now_us);
  // Nobody need wait.
  void Pass() { waits_ = false, since_us_ = 0; }

  // The last write that asked did not run.
  bool waits() const { return waits_; }
  uint64_t since_us() const { return since_us_; }
  model::Priority waits_as() const { return waits_as_; }
  // When its patience ends.
  uint64_t until_us() const { return until_us_; }
  bool forever() const { return until_us_ == ~uint64_t{0}; }

 private:
  bool waits_ = false;
  model::Priority waits_as_ = model::Priority::kNormal;
  uint64_t since_us_ = 0;  // no write has run since then; 0: the last one did
  uint64_t until_us_ = 0;
};

}  // namespace sluice::server
