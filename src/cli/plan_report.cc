#include "cli/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plan/node.h"
#include "plan/shard_key.h"

namespace sluice::cli {
namespace {

using plan::Thousands;

// Whole where it is whole, else with the digits that matter.
std::string Figure(double value) {
  const double whole = std::round(value);
  if (value >= 1'000 || std::abs(value - whole) < 1e-9) return Thousands(value);
  return fmt::format("{:.4g}", value);
}

std::string Times2(double value) {
  return std::abs(value - std::round(value)) < 1e-9 ? Thousands(value)
                                                    : fmt::format("{:.2f}", value);
}

// What one shard carries: at most what its lane does.
double PerShard(const PlanInputs& in) {
  return in.Get("per-shard", in.Get("writes-per-lane", plan::kWritesPerLane));
}

PlanSection Shards(const PlanInputs& in) {
  const double writes = in.Get("writes"), headroom = in.Get("headroom", 0);
  const double per_shard = PerShard(in);
  const plan::ShardPlan plan = plan::PlanShards(writes, per_shard, headroom);
  PlanSection section{"shards", "Shards", {}, {}};
  const std::string limit = Figure(per_shard);
  section.lines = {
      {"least", plan.least, "at least", Thousands(plan.least),
       fmt::format("{} / {} = {}, rounded up", Figure(writes), limit, Times2(writes / per_shard))},
      {"needed_rate", plan.needed_rate, "room for", Figure(plan.needed_rate) + "/s",
       fmt::format("{} / (1 - {}), so that {} of it stays spare", Figure(writes),
                   plan::Percent(headroom), plan::Percent(headroom))},
      {"provisioned", plan.provisioned, "provisioned", Thousands(plan.provisioned),
       fmt::format("{} / {} = {}, rounded up", Figure(plan.needed_rate), limit,
                   Times2(plan.needed_rate / per_shard))},
      {"each", plan.each, "each carries", Thousands(plan.each) + "/s",
       fmt::format("{} / {}", Figure(writes), Thousands(plan.provisioned))},
      {"spare", plan.spare, "each has spare", Thousands(plan.spare) + "/s",
       fmt::format("{} - {}", limit, Thousands(plan.each))}};
  if (!in.Has("per-shard")) {
    section.notes.push_back(in.Has("writes-per-lane")
                                ? "per shard: what one lane carries"
                                : "per shard: what one lane was measured to carry (S1, SET -P 16)");
  }
  return section;
}

PlanSection HotKey(const PlanInputs& in) {
  const double writes = in.Get("hot-key");
  const double per_shard = PerShard(in);
  const plan::HotKeyPlan plan = plan::PlanHotKey(writes, per_shard);
  PlanSection section{"hot_key", "One hot key", {}, {}};
  section.lines = {
      {"fits", plan.fits ? 1.0 : 0.0, "fits one shard", plan.fits ? "yes" : "no",
       fmt::format("{} {} {}", Figure(writes), plan.fits ? "<=" : ">", Figure(per_shard))},
      {"sub_keys", plan.sub_keys, "sub-keys", Thousands(plan.sub_keys),
       fmt::format("{} / {} = {}, rounded up", Figure(writes), Figure(per_shard),
                   Times2(writes / per_shard))},
      {"fold_at_least", plan.fold_at_least, "or fold", Times2(plan.fold_at_least) + " to one",
       fmt::format("{} / {}: writes that one record stands for", Figure(writes),
                   Figure(per_shard))}};
  section.notes.push_back(
      plan.fits ? "one shard carries the key"
                : "more shards do not help: a key lies in one of them; sub-keys or folding do");
  return section;
}

PlanSection Skew(const PlanInputs& in) {
  const double per_shard = PerShard(in);
  const plan::SkewPlan plan = plan::PlanSkew(in.loads(), per_shard);
  const size_t shards = in.loads().size();
  PlanSection section{
      "skew", fmt::format("{} shard{} side by side", shards, shards == 1 ? "" : "s"), {}, {}};
  section.lines = {
      {"mean", plan.mean, "mean", Thousands(plan.mean) + "/s",
       fmt::format("{} of a shard's {}: looks {}", plan::Percent(plan.mean / per_shard),
                   Figure(per_shard), plan.mean <= per_shard ? "safe" : "too much")},
      {"busiest", plan.busiest, "busiest", Thousands(plan.busiest) + "/s",
       fmt::format("shard {}: {} of its {}", plan.at + 1, plan::Percent(plan.busiest / per_shard),
                   Figure(per_shard))},
      {"skew", plan.skew, "skew", fmt::format("{:.2f}x", plan.skew), "busiest / mean"},
      {"hot", plan.hot ? 1.0 : 0.0, "hot key", plan.hot ? "likely" : "no",
       fmt::format("the others have {} in the mean", Thousands(plan.rest))}};
  if (plan.hot) {
    const plan::HotKeyPlan hot = plan::PlanHotKey(plan.busiest, per_shard);
    section.notes.push_back(fmt::format(
        "if it is one key, splitting the shard cannot help: {} sub-keys, or folding, can",
        Thousands(hot.sub_keys)));
  } else if (plan.over) {
    section.notes.push_back("the busiest is over its limit: split it at the median of its load");
  }
  return section;
}

PlanSection Split(const PlanInputs& in) {
  const double load = in.Get("shard-load");
  const double at = in.Get("split-at", PerShard(in));
  const plan::SplitPlan plan = plan::PlanSplit(load, at);
  PlanSection section{"split", "Splitting a shard", {}, {}};
  section.lines = {{"pieces", plan.pieces, "pieces", Thousands(plan.pieces),
                    fmt::format("halved until each is at most {}", Figure(at))},
                   {"each", plan.each, "each carries", Figure(plan.each) + "/s",
                    fmt::format("{} / {}", Figure(load), Thousands(plan.pieces))}};
  section.notes.push_back("cut at the median of its load, not at the middle of its keys");
  return section;
}

PlanSection Log(const PlanInputs& in) {
  const double writes = in.Get("writes"), pages = in.Get("page-writes");
  const double appends = in.Get("appends"), batch = in.Get("batch"), flush = in.Get("flush");
  const plan::LogPlan plan = plan::PlanLog(writes, pages, appends, batch, flush);
  PlanSection section{"log", "To pages, or to a log", {}, {}};
  section.lines = {
      {"direct", plan.direct ? 1.0 : 0.0, "direct", plan.direct ? "possible" : "impossible",
       fmt::format("{} {} {} page writes/s", Figure(writes), plan.direct ? "<=" : ">",
                   Figure(pages))},
      {"log", plan.log ? 1.0 : 0.0, "log", plan.log ? "fits" : "does not fit",
       fmt::format("{} {} {} appends/s", Figure(writes), plan.log ? "<=" : ">", Figure(appends))},
      {"flushes", plan.flushes, "flushes", Figure(plan.flushes) + "/s",
       fmt::format("{} / {}", Figure(writes), Figure(batch))},
      {"work_ms", plan.work_ms, "work", Figure(plan.work_ms) + " ms per second",
       fmt::format("{} x {} ms", Figure(plan.flushes), Figure(flush))}};
  if (plan.work_ms > 1'000) section.notes.push_back("more than a second holds: batch more");
  return section;
}

PlanSection Rows(const PlanInputs& in) {
  const double writes = in.Get("writes"), row = in.Get("row");
  const double batch = in.Get("row-batch"), time = in.Get("row-batch-time");
  const plan::BatchPlan plan = plan::PlanBatches(writes, row, batch, time);
  return {"rows",
          "Rows of a database",
          {{"single_ms", plan.single_ms, "one by one", Figure(plan.single_ms) + " ms per second",
            fmt::format("{} x {} ms", Figure(writes), Figure(row))},
           {"batched_ms", plan.batched_ms, "in batches", Figure(plan.batched_ms) + " ms per second",
            fmt::format("{} / {} x {} ms", Figure(writes), Figure(batch), Figure(time))},
           {"less", plan.less, "less", plan::Percent(plan.less), "1 - batches / one by one"}},
          {}};
}

PlanSection Window(const PlanInputs& in) {
  const double window = in.Get("window");
  const double writes = in.Get("hot-key", in.Get("writes", 0));
  const plan::WindowPlan plan = plan::PlanWindow(writes, window);
  PlanSection section{"window", fmt::format("A window of {} ms", Figure(window)), {}, {}};
  section.lines = {
      {"mean_ms", plan.mean_ms, "wait, mean", Figure(plan.mean_ms) + " ms", "half of it"},
      {"p99_ms", plan.p99_ms, "wait, p99", Figure(plan.p99_ms) + " ms",
       "99 % of it: who comes first waits longest"},
      {"most_ms", plan.most_ms, "wait, most", Figure(plan.most_ms) + " ms", "all of it"}};
  if (writes > 0) {
    section.lines.push_back({"gathered", plan.gathered, "gathered", Figure(plan.gathered),
                             fmt::format("{}/s x {} ms", Figure(writes), Figure(window))});
    if (in.Has("hot-key")) {
      section.notes.push_back(fmt::format("of one key: {} writes become one row update a window",
                                          Figure(plan.gathered)));
    }
  }
  for (size_t i = 0; i < plan.histogram.size(); ++i) {
    const auto tenth = static_cast<double>(i);
    section.lines.push_back(
        {fmt::format("wait_below_{}_tenths", i + 1), plan.histogram[i],
         fmt::format("wait {:.3g}-{:.3g} ms", tenth * window / 10, (tenth + 1) * window / 10),
         plan::Percent(plan.histogram[i]), std::string(20, '#')});
  }
  return section;
}

PlanSection Node(const PlanInputs& in) {
  const double writes = in.Get("writes"), headroom = in.Get("headroom", 0);
  const plan::NodePlan plan = plan::PlanNode(in.Node(), writes, headroom);
  PlanSection section{"node", "One node", {}, {}};
  for (const plan::Resource& one : plan.resources) {
    section.lines.push_back({std::string(one.name), one.carries, std::string(one.name),
                             Thousands(one.carries) + "/s", one.how});
    section.lines.push_back({fmt::format("{}_use", one.name), one.use,
                             fmt::format("{}, used", one.name), plan::Percent(one.use),
                             fmt::format("{} / {}", Figure(writes), Thousands(one.carries))});
  }
  const plan::Resource& first = plan.resources[plan.first];
  section.lines.push_back({"nodes", plan.nodes, "nodes", Thousands(plan.nodes),
                           fmt::format("{} / (1 - {}) / {}, rounded up", Figure(writes),
                                       plan::Percent(headroom), Thousands(plan.carries))});
  section.notes.push_back(
      fmt::format("{} ends first, at {} writes/s", first.name, Thousands(plan.carries)));
  return section;
}

PlanSection Costs(const PlanInputs& in) {
  const plan::NodeFigures node = in.Node();
  const plan::NodePlan plan = plan::PlanNode(node, 1, 0);
  const double record = node.key_bytes + node.value_bytes;
  PlanSection section{"costs", "What a key and a write cost", {}, {}};
  section.lines = {
      {"log_bytes", plan.log_bytes, "a write, log", Figure(plan.log_bytes) + " bytes",
       node.log_bytes_per_write > 0 ? "given or measured" : "key + value + 9 of its record (S8)"},
      {"disk_write_bytes", plan.disk_write_bytes, "a write, disk",
       Thousands(plan.disk_write_bytes) + " bytes",
       fmt::format("{} bytes x {:.3g}, log and merging included (S5)", Thousands(record),
                   node.write_amplification)},
      {"disk_key_bytes", plan.disk_key_bytes, "a key, disk",
       Thousands(plan.disk_key_bytes) + " bytes",
       fmt::format("{} bytes x {:.3g} (S5)", Thousands(record), node.space_amplification)},
      {"ram_key_bytes", plan.ram_key_bytes, "a key, RAM", Figure(plan.ram_key_bytes) + " byte",
       fmt::format("its place in the filter; all else has the bound server.memory. S3: {:.0f} "
                   "MiB with {} keys",
                   plan::kResidentBytesAtS3 / (1 << 20), Thousands(plan::kLiveKeysAtS3))}};
  if (in.Has("keys")) {
    const double keys = in.Get("keys");
    // The filter is a sixteenth of server.memory, with a byte or more for each key.
    section.lines.push_back(
        {"disk_bytes", keys * plan.disk_key_bytes, "all keys, disk",
         Figure(keys * plan.disk_key_bytes / 1e9) + " GB",
         fmt::format("{} x {} bytes", Figure(keys), Thousands(plan.disk_key_bytes))});
    section.lines.push_back(
        {"memory_bytes", 16 * keys * plan.ram_key_bytes, "server.memory",
         Figure(16 * keys * plan.ram_key_bytes / 1e9) + " GB",
         fmt::format("{} x 1 byte is a sixteenth of it; with less, missing keys cost a look at "
                     "the disk's tables",
                     Figure(keys))});
  }
  return section;
}

}  // namespace

bool UsesFigures(const PlanInputs& in) {
  if (in.Has("writes") || in.Has("keys")) return true;
  if (in.Has("per-shard")) return false;
  return in.Has("hot-key") || in.Has("loads") || (in.Has("shard-load") && !in.Has("split-at"));
}

std::vector<PlanSection> MakePlan(const PlanInputs& in) {
  std::vector<PlanSection> sections;
  const auto has = [&](std::initializer_list<std::string_view> names) {
    return std::all_of(names.begin(), names.end(),
                       [&](std::string_view name) { return in.Has(name); });
  };
  if (has({"writes"})) sections.push_back(Shards(in));
  if (has({"hot-key"})) sections.push_back(HotKey(in));
  if (has({"loads"})) sections.push_back(Skew(in));
  if (has({"shard-load"})) sections.push_back(Split(in));
  if (has({"writes", "page-writes", "appends", "batch", "flush"})) sections.push_back(Log(in));
  if (has({"writes", "row", "row-batch", "row-batch-time"})) sections.push_back(Rows(in));
  if (has({"window"})) sections.push_back(Window(in));
  if (has({"writes"})) sections.push_back(Node(in));
  if (has({"writes"}) || has({"keys"})) sections.push_back(Costs(in));
  return sections;
}

}  // namespace sluice::cli
