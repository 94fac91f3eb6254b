// Counting what a bench's increments came to: the sum of all counters that a plan increments.
//
// Read before and after a run, they say how many increments were applied. That is the truth only
// while nobody else writes to these keys.
//
// Threads:  none.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "cli/bench_plan.h"
#include "cli/client.h"

namespace sluice::cli {

inline constexpr uint64_t kBenchCountedMax = 2'000'000;  // counters: what is read in seconds

// Whether stream and command are increments of keys that can be found again.
bool IsCounted(const BenchCommand& command);
// How many counters those of a plan are; 0 too where they are more than kBenchCountedMax.
uint64_t CountersOf(const BenchPlan& plan);

//   kIo       no answer.
//   kInvalid  a counter holds no number.
Result<int64_t> SumCounters(const BenchPlan& plan, const Address& address, env::Clock& clock);

}  // namespace sluice::cli
