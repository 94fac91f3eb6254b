#include "plan/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plan/shard_key.h"

namespace sluice::plan {
namespace {

// RESP around key and value of a SET: "*3\r\n$3\r\nSET\r\n$n\r\n…\r\n$m\r\n…\r\n", and "+OK\r\n".
constexpr double kRespBytes = 33;
// Of the filter of stored keys: a byte or more for each (docs/operating/running.md).
constexpr double kFilterBytes = 1;

}  // namespace

NodePlan PlanNode(const NodeFigures& figures, double writes, double headroom) {
  NodePlan plan;
  const double record = figures.key_bytes + figures.value_bytes;
  plan.log_bytes = figures.log_bytes_per_write > 0
                       ? figures.log_bytes_per_write
                       : record + (kLogBytesPerWrite - kMeasuredKeyBytes - kMeasuredValueBytes);
  plan.disk_write_bytes = record * figures.write_amplification;
  plan.disk_key_bytes = record * figures.space_amplification;
  plan.ram_key_bytes = kFilterBytes;
  const double syncs = 1 / figures.sync_seconds;
  const double wire = record + kRespBytes;
  plan.resources = {
      Resource{"cpu", figures.lanes * figures.writes_per_lane, 0,
               fmt::format("{} lane{} x {} writes/s", figures.lanes, figures.lanes == 1 ? "" : "s",
                           Thousands(figures.writes_per_lane))},
      Resource{
          "fsync", syncs / figures.syncs_per_write, 0,
          fmt::format("1 / {:.3g} ms = {} syncs/s, / {:.3g} syncs a write",
                      1'000 * figures.sync_seconds, Thousands(syncs), figures.syncs_per_write)},
      Resource{"disk", figures.disk_bytes_per_second / plan.disk_write_bytes, 0,
               fmt::format("{} MB/s / ({} bytes x {:.3g} written for each = {})",
                           Thousands(figures.disk_bytes_per_second / 1e6), Thousands(record),
                           figures.write_amplification, Thousands(plan.disk_write_bytes))},
      Resource{"network", figures.network_bytes_per_second / wire, 0,
               fmt::format("{} MB/s / ({} bytes + {:.0f} of RESP)",
                           Thousands(figures.network_bytes_per_second / 1e6), Thousands(record),
                           kRespBytes)}};
  for (size_t i = 0; i < plan.resources.size(); ++i) {
    plan.resources[i].use = writes / plan.resources[i].carries;
    if (plan.resources[i].carries < plan.resources[plan.first].carries) plan.first = i;
  }
  plan.carries = plan.resources[plan.first].carries;
  plan.nodes = std::max(1.0, std::ceil(writes / (1 - headroom) / plan.carries - 1e-9));
  return plan;
}

}  // namespace sluice::plan
