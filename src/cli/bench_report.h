// What a bench says: lines for people, or one JSON object.
//
// Threads:  none.
#pragma once

#include <string>
#include <vector>

#include "cli/bench_run.h"

namespace sluice::cli {

// "12 s: 10000 answered, p50 0.21 p99 0.63 max 1.4 ms", errors too if there were any.
std::string BenchSecondLine(uint64_t second, const BenchSecond& brought);

std::string BenchText(const BenchPlan& plan, const Address& address, const BenchRun& run);
std::string BenchJson(const BenchPlan& plan, const Address& address, const BenchRun& run,
                      const std::vector<BenchSecond>& seconds);

}  // namespace sluice::cli
