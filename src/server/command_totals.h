// CommandTotals: what the lanes counted of one command, added up.
//
// Threads:  any; numbers of different moments, as the lanes count on.
#pragma once

#include <array>
#include <cstdint>

#include "server/context.h"
#include "server/meters.h"

namespace sluice::server {

struct CommandTotals {
  uint64_t calls = 0, microseconds = 0, rejected = 0, failed = 0;
  std::array<uint64_t, CommandCount::kTimes> times = {};

  // Microseconds that a share `q` of the calls did not exceed, rounded up to a power of two.
  // Requires: 0 <= q <= 1.
  uint64_t Quantile(double q) const;
};

// `command`: its place in the command table.
CommandTotals TotalsOf(const Context& context, size_t command);

}  // namespace sluice::server
