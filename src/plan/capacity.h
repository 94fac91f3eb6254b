// Capacity: the arithmetic of shards, hot keys, batches and windows, each with its words.
//
// Every function is a formula; its source is said beside it. Rates are writes a second, times are
// milliseconds, unless a name says otherwise.
//
// Threads:  any; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::plan {

// One line of a plan: what, the figure, and the arithmetic that gave it.
struct Line {
  std::string name;  // for programs: "shards_provisioned"
  double value = 0;
  std::string label;  // for people: "provisioned"
  std::string shown;  // the value as it is shown, with its unit
  std::string how;    // "120,000 / (1 - 25 %) = 160,000; / 15,000 = 10.67, rounded up"
};

// Shards for a load with headroom: at least writes / per_shard, rounded up; provisioned, so that
// with all writes on them a share `headroom` of each is spare: writes / (1 - headroom) / per_shard.
// Source: queueing sense; the worked examples of 120,000 and 96,000 writes/s.
struct ShardPlan {
  double least = 0, provisioned = 0;  // shards
  double needed_rate = 0;             // writes / (1 - headroom)
  double each = 0, spare = 0;         // of a provisioned shard: writes, and what is left
};
ShardPlan PlanShards(double writes, double per_shard, double headroom);

// A key has one place, and one owner runs its writes one after the other: more shards do not help
// it. Sub-keys do (each in a shard of its own: writes / per_shard, rounded up), or folding at least
// so many writes into one.
struct HotKeyPlan {
  bool fits = true;
  double sub_keys = 1;
  double fold_at_least = 1;  // writes that one record must stand for
};
HotKeyPlan PlanHotKey(double writes, double per_shard);

// A shard above its limit is split at the median of its load until each piece is within `split_at`.
// Halving: pieces are a power of two.
struct SplitPlan {
  double pieces = 1, each = 0;
};
SplitPlan PlanSplit(double load, double split_at);

// Loads of shards side by side: the mean may look safe where one is not. A shard is hot when it is
// over its limit, and twice the median or more: that is a key or a tenant, not growth.
struct SkewPlan {
  double mean = 0, busiest = 0, skew = 0;
  size_t at = 0;  // which is the busiest
  bool over = false, hot = false;
  double rest = 0;  // mean of the others
};
SkewPlan PlanSkew(const std::vector<double>& loads, double per_shard);

// Writes to random pages, or appended to a log in batches: what the disk can do decides, and
// flushes x flush_ms is the work of each second.
struct LogPlan {
  bool direct = false, log = false;
  double flushes = 0, work_ms = 0;
};
LogPlan PlanLog(double writes, double page_writes, double appends, double batch, double flush_ms);

// Rows written one by one, or in batches: ms of the database's work for each second of writes.
struct BatchPlan {
  double single_ms = 0, batched_ms = 0, less = 0;  // less: a share
};
BatchPlan PlanBatches(double writes, double each_ms, double batch, double batch_ms);

// A window that gathers writes: those that come at even times wait between nothing and all of it,
// uniformly: the mean is half, the p99 99 % of it. `writes` on one key become one row each window.
struct WindowPlan {
  double mean_ms = 0, p99_ms = 0, most_ms = 0;
  double gathered = 0;            // writes of a window
  std::vector<double> histogram;  // share of writes by tenth of the window that they wait
};
WindowPlan PlanWindow(double writes, double window_ms);

}  // namespace sluice::plan
