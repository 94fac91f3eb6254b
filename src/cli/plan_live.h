// A running node's own figures, from what it counts: INFO, and /metrics of its HTTP face.
//
//   WatchNode()  watches the node for some seconds and says what it learnt: syncs-per-write, sync,
//                log-bytes, amplification, writes-per-lane, value sizes.
//
// It sends no load: a figure is as good as the load that the node had meanwhile.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/client.h"
#include "cli/plan_inputs.h"
#include "env/env.h"

namespace sluice::cli {

// One second, or so.
struct LiveMoment {
  double writes = 0;  // a second
  double p99_ms = 0;  // of a record's wait to be durable
};

struct LiveFigures {
  std::vector<LiveMoment> curve;
  std::vector<std::pair<std::string, double>> settings;  // as PlanInputs takes them
  double writes = 0;                                     // a second, in the mean
};

// The sum of a metric's samples over its labels; 0 when there is none.
double SumOf(std::string_view metrics, std::string_view name);
// The p99 of what a histogram counted between two pages, in its unit; 0 when nothing.
double P99Between(std::string_view before, std::string_view after, std::string_view name);

//   kIo       the node does not answer.
//   kInvalid  it refuses, or is no Sluice; the message says what it said.
//   kUnavailable  nothing was written meanwhile.
Result<LiveFigures> WatchNode(const Address& address, uint16_t http_port, unsigned seconds,
                              env::Clock& clock);

}  // namespace sluice::cli
