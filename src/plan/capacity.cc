#include "plan/capacity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice::plan {
namespace {

constexpr double kRounding = 1e-9;  // 10 / 1 of decimals is not made 11
constexpr double kHotToMedian = 2;  // a shard so many times the median holds something hot
constexpr size_t kWindowParts = 10;

double Up(double value) {
  return std::ceil(value - kRounding);
}

}  // namespace

ShardPlan PlanShards(double writes, double per_shard, double headroom) {
  ShardPlan plan;
  plan.least = std::max(1.0, Up(writes / per_shard));
  plan.needed_rate = writes / (1 - headroom);
  plan.provisioned = std::max(1.0, Up(plan.needed_rate / per_shard));
  plan.each = writes / plan.provisioned;
  plan.spare = per_shard - plan.each;
  return plan;
}

HotKeyPlan PlanHotKey(double writes, double per_shard) {
  return {.fits = writes <= per_shard,
          .sub_keys = std::max(1.0, Up(writes / per_shard)),
          .fold_at_least = std::max(1.0, writes / per_shard)};
}

SplitPlan PlanSplit(double load, double split_at) {
  SplitPlan plan{.pieces = 1, .each = load};
  while (plan.each > split_at) {
    plan.pieces *= 2;
    plan.each = load / plan.pieces;
  }
  return plan;
}

SkewPlan PlanSkew(const std::vector<double>& loads, double per_shard) {
  SkewPlan plan;
  if (loads.empty()) return plan;
  const double sum = std::accumulate(loads.begin(), loads.end(), 0.0);
  const auto busiest = std::max_element(loads.begin(), loads.end());
  std::vector<double> sorted = loads;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const auto count = static_cast<double>(loads.size());
  plan.mean = sum / count;
  plan.busiest = *busiest;
  plan.at = static_cast<size_t>(busiest - loads.begin());
  plan.skew = plan.mean > 0 ? plan.busiest / plan.mean : 0;
  plan.rest = loads.size() > 1 ? (sum - plan.busiest) / (count - 1) : 0;
  plan.over = plan.busiest > per_shard;
  plan.hot = plan.over && loads.size() > 1 && plan.busiest >= kHotToMedian * *middle;
  return plan;
}

LogPlan PlanLog(double writes, double page_writes, double appends, double batch, double flush_ms) {
  LogPlan plan{.direct = writes <= page_writes,
               .log = writes <= appends,
               .flushes = writes / batch,
               .work_ms = 0};
  plan.work_ms = plan.flushes * flush_ms;
  return plan;
}

BatchPlan PlanBatches(double writes, double each_ms, double batch, double batch_ms) {
  BatchPlan plan{.single_ms = writes * each_ms, .batched_ms = writes / batch * batch_ms, .less = 0};
  plan.less = 1 - plan.batched_ms / plan.single_ms;
  return plan;
}

WindowPlan PlanWindow(double writes, double window_ms) {
  return {.mean_ms = window_ms / 2,
          .p99_ms = 0.99 * window_ms,
          .most_ms = window_ms,
          .gathered = writes * window_ms / 1'000,
          .histogram = std::vector<double>(kWindowParts, 1.0 / kWindowParts)};
}

}  // namespace sluice::plan
