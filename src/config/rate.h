// Rate: "50000/s", "600/m burst 50": how many writes in how long, and how many of them at once.
//
// A whole number, `/`, and `s`, `m` or `h`; behind it the burst, which is one second of the rate
// (and one write at least) when it is not said.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace sluice::config {

inline constexpr uint64_t kRateWritesMost = 10'000'000;  // in each period
inline constexpr uint64_t kBurstSecondsMost = 86'400;    // that a burst may take to come back

struct Rate {
  uint64_t writes = 0;  // 0: no limit
  uint64_t period_s = 1;
  uint64_t burst = 0;

  bool operator==(const Rate&) const = default;
};

// kInvalid: another unit, no number, a rate or a burst of 0, or one past its bound; the message
// says which, and what was meant.
Result<Rate> ParseRate(std::string_view text);

}  // namespace sluice::config
