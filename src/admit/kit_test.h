// For tests: what a rate allows, told from what was admitted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/keyspace.h"

namespace sluice::admit {

struct Admitted {
  uint64_t at_us;
  uint64_t writes;
};

// By how many writes the worst window passes rate * time + burst; at most 0: none does. A window
// begins and ends with an admitted write.
inline double WorstExcess(const std::vector<Admitted>& admitted, const model::Rate& rate) {
  // The sum over [i, j] minus rate * (t_j - t_i) is greatest where what stands before i is least.
  const double per_us =
      static_cast<double>(rate.writes) / (1e6 * static_cast<double>(rate.period_s));
  double sum = 0, least = 0, worst = -1e300;
  bool any = false;
  for (const auto& [at_us, writes] : admitted) {
    const double before = sum - per_us * static_cast<double>(at_us);
    least = any ? std::min(least, before) : before;
    any = true;
    sum += static_cast<double>(writes);
    worst = std::max(worst, sum - per_us * static_cast<double>(at_us) - least);
  }
  return worst - static_cast<double>(rate.burst);
}

}  // namespace sluice::admit
