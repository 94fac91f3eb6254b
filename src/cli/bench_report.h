// What a bench prints: a line for each sample, the result as text, as JSON, and as a chart.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench_run.h"

namespace sluice::cli {

// Increments: those that the counters show, those that were answered, and those of which nobody
// knows (no reply, or INDOUBT).
struct BenchApplied {
  int64_t applied = 0;
  uint64_t acknowledged = 0, unknown = 0;

  bool agrees() const;
};

struct BenchResult {
  const BenchPlan& plan;
  const Address& address;
  const BenchRun& run;
  const std::vector<BenchMoment>& timeline;
  std::optional<BenchApplied> applied;
};

// How many increments of counters were answered, and how many may or may not have been applied.
BenchApplied Acknowledged(const BenchPlan& plan, const BenchRun& run);

std::string BenchMomentLine(const BenchPlan& plan, const BenchMoment& moment);
std::string BenchText(const BenchResult& result);
std::string BenchJson(const BenchResult& result);
// Throughput, p99, refusals and queue of each stream over time.
std::string BenchSvg(const BenchResult& result);

}  // namespace sluice::cli
