#include "sim/scale/report.h"

#include <fmt/format.h>

#include <iterator>

#include "cli/bench_chart.h"
#include "plan/shard_key.h"

namespace sluice::sim::scale {
namespace {

using plan::Thousands;

constexpr uint64_t kRowSeconds = 120;

std::string Clock(uint64_t seconds) {
  return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
}

std::string After(const std::optional<uint64_t>& seconds) {
  return seconds ? fmt::format("{} s", *seconds) : "never";
}

std::string Head(const Result& result) {
  return fmt::format("{} shards on {} nodes, {} writes/s, seed {}, balancer {}",
                     Thousands(static_cast<double>(result.shards)), result.nodes,
                     cli::ChartNumber(result.samples.front().writes), result.seed,
                     result.mode == rebalance::Mode::kOn ? "on" : "off");
}

template <typename Field>
std::vector<double> Values(const Result& result, Field field) {
  std::vector<double> values;
  for (const Sample& each : result.samples) values.push_back(field(each));
  return values;
}

}  // namespace

std::string Table(const Result& result) {
  std::string out = Head(result) + "\n\n";
  const auto line = [&]<typename... Args>(fmt::format_string<Args...> text, Args&&... args) {
    fmt::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
    out += '\n';
  };
  line("{:>5}  {:>8}  {:>6}  {:>17}  {:>9}  {:>8}  {:>6} {:>6} {:>6}  {:>4}", "time", "writes/s",
       "shards", "node mean/p99/max", "shard max", "refused", "splits", "moves", "merges", "jobs");
  size_t event = 0;
  for (size_t i = 0; i < result.samples.size(); ++i) {
    const uint64_t at = i * kSampleSeconds;
    for (; event < result.events.size() && result.events[event].at_s <= at; ++event) {
      line("{}  {}", Clock(result.events[event].at_s), result.events[event].what);
    }
    const uint64_t ends = at + kSampleSeconds;
    if (ends % kRowSeconds != 0) continue;
    const Sample& it = result.samples[i];
    line(
        "{:>5}  {:>8}  {:>6}  {:>5.2f} {:>5.2f} {:>5.2f}  {:>9.2f}  {:>8}  {:>6} {:>6} {:>6}  "
        "{:>4}",
        Clock(ends), cli::ChartNumber(it.writes), it.shards, it.mean, it.p99, it.most,
        it.shard_most, fmt::format("{:.2f} %", 100 * it.refused), it.totals.splits, it.totals.moves,
        it.totals.merges, it.jobs);
  }
  line("\n{:<58} {:>8}  {:>8}  {:>8}  {:>8}", "event", "node max", "refused", "named", "calm");
  for (size_t i = 0; i < result.events.size(); ++i) {
    const Outcome& outcome = result.outcomes[i];
    line("{} {:<52} {:>8.2f}  {:>8}  {:>8}  {:>8}{}", Clock(result.events[i].at_s),
         result.events[i].what, outcome.most, fmt::format("{:.2f} %", 100 * outcome.refused),
         result.events[i].named ? After(outcome.named_s) : "", After(outcome.calm_s),
         outcome.good ? "" : "  too late");
  }
  const Totals& totals = result.totals;
  line(
      "\n{} splits, {} moves of {:.0f} GiB, {} merges; {} writes waited for the end of a job, at "
      "most {} ms",
      totals.splits, totals.moves, static_cast<double>(totals.copied_bytes) / (1 << 30),
      totals.merges, Thousands(totals.paused_writes), totals.pause_us_most / 1'000);
  line("{} critical writes refused, {} seconds of shards outside their region",
       Thousands(result.critical_refused), totals.misplaced);
  for (const std::string& each : result.warnings) line("warned: {}", each);
  return out;
}

std::string Svg(const Result& result) {
  cli::Chart chart{.title = "A fleet and its balancer, simulated",
                   .note = Head(result),
                   .seconds_per_point = static_cast<double>(kSampleSeconds),
                   .series = {"max", "p99", "mean"},
                   .dashed = "in all",
                   .panels = {}};
  chart.panels.push_back({.title = "Load of a node",
                          .unit = "of what it carries",
                          .values = {Values(result, [](auto& it) { return it.most; }),
                                     Values(result, [](auto& it) { return it.p99; }),
                                     Values(result, [](auto& it) { return it.mean; })}});
  chart.panels.push_back({.title = "Load of the busiest shard",
                          .unit = "of what it carries",
                          .values = {Values(result, [](auto& it) { return it.shard_most; })}});
  chart.panels.push_back({.title = "Writes refused",
                          .unit = "%",
                          .dashed = Values(result, [](auto& it) { return 100 * it.refused; })});
  chart.panels.push_back({.title = "Shards", .unit = "", .dashed = Values(result, [](auto& it) {
                                                           return static_cast<double>(it.shards);
                                                         })});
  chart.panels.push_back(
      {.title = "Jobs under way", .unit = "", .dashed = Values(result, [](auto& it) {
                                                return static_cast<double>(it.jobs);
                                              })});
  return cli::ChartSvg(chart);
}

}  // namespace sluice::sim::scale
