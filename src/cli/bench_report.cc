#include "cli/bench_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/bench_chart.h"
#include "cli/bench_count.h"

namespace sluice::cli {
namespace {

struct Percentile {
  const char* name;
  double share;
};
constexpr Percentile kPercentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

// Three digits are more than the cells of a histogram are wide.
std::string Ms(uint64_t us) {
  return fmt::format("{:.3g}", static_cast<double>(us) / 1000);
}

std::string Line(const meter::Distribution& latency) {
  std::string text;
  for (const Percentile& percentile : kPercentiles) {
    text += fmt::format("{} {}  ", percentile.name, Ms(latency.Quantile(percentile.share)));
  }
  return text + fmt::format("max {}", Ms(latency.max));
}

nlohmann::json Json(const meter::Distribution& latency) {
  nlohmann::json json = {{"count", latency.count}, {"mean", latency.Mean()}, {"max", latency.max}};
  for (const Percentile& percentile : kPercentiles) {
    json[percentile.name] = latency.Quantile(percentile.share);
  }
  return json;
}

// A stream's result, or that of all of them together.
struct Totals {
  uint64_t due = 0, answered = 0, refused = 0, errors = 0, unanswered = 0;
  BenchCounts refusals_by_reason, errors_by_name;
  meter::Distribution latency, refusal_latency, lateness;

  void Add(const BenchRun& run, size_t stream) {
    const BenchTally& tally = run.tally(stream);
    due += run.due(stream);
    answered += tally.answered();
    refused += tally.refused();
    errors += tally.errors();
    unanswered += tally.unanswered();
    for (const auto& [reason, count] : tally.refusals_by_reason()) {
      refusals_by_reason[reason] += count;
    }
    for (const auto& [name, count] : tally.errors_by_name()) errors_by_name[name] += count;
    latency.Merge(tally.latency());
    refusal_latency.Merge(tally.refusal_latency());
    lateness.Merge(run.lateness(stream));
  }
};

Totals All(const BenchRun& run, size_t streams) {
  Totals all;
  for (size_t i = 0; i < streams; ++i) all.Add(run, i);
  return all;
}

double PerSecond(uint64_t count, const BenchRun& run) {
  const double seconds = static_cast<double>(run.elapsed_us()) / 1e6;
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string Text(const Totals& totals, const BenchRun& run) {
  std::string text = fmt::format(
      "{} were due: {} answered, {} refused, {} errors, {} without a reply; {:.0f} answered/s\n",
      totals.due, totals.answered, totals.refused, totals.errors, totals.unanswered,
      PerSecond(totals.answered, run));
  for (const auto& [reason, count] : totals.refusals_by_reason) {
    text += fmt::format("  refused {}: {}\n", reason, count);
  }
  for (const auto& [name, count] : totals.errors_by_name) {
    text += fmt::format("  error {}: {}\n", name, count);
  }
  return text;
}

// Each stream by itself, if there are several; each command of it, likewise.
std::string StreamText(const BenchStream& stream, size_t index, bool alone, const BenchRun& run) {
  std::string text;
  if (!alone) {
    Totals totals;
    totals.Add(run, index);
    text += fmt::format("{}: {:.0f}/s on {} connections\n  {}", stream.name, stream.rate,
                        stream.connections, Text(totals, run));
    text += fmt::format("  ms   {}\n", Line(totals.latency));
    text += fmt::format("  of that, this generator ms   {}\n", Line(totals.lateness));
  }
  for (size_t i = 0; i < stream.commands.size() && stream.commands.size() > 1; ++i) {
    const meter::Distribution latency = run.tally(index).latency_of(i);
    text += fmt::format("  {}\n    {} answered, ms   {}\n", stream.commands[i].text(),
                        latency.count, Line(latency));
  }
  return text;
}

nlohmann::json TotalsJson(const Totals& totals, const BenchRun& run) {
  return {{"due", totals.due},
          {"answered", totals.answered},
          {"answered_per_second", PerSecond(totals.answered, run)},
          {"refused", totals.refused},
          {"refusals", totals.refusals_by_reason},
          {"errors", totals.errors_by_name},
          {"unanswered", totals.unanswered},
          {"latency_us", Json(totals.latency)},
          {"refusal_us", Json(totals.refusal_latency)},
          {"generator_us", Json(totals.lateness)}};
}

nlohmann::json CommandsJson(const BenchStream& stream, const BenchTally& tally) {
  nlohmann::json commands = nlohmann::json::array();
  for (size_t i = 0; i < stream.commands.size(); ++i) {
    commands.push_back(
        {{"command", stream.commands[i].text()}, {"latency_us", Json(tally.latency_of(i))}});
  }
  return commands;
}

nlohmann::json SampleJson(const BenchSample& sample) {
  return {{"due", sample.due},
          {"answered", sample.answered},
          {"refused", sample.refused},
          {"errors", sample.errors},
          {"queue", sample.queue},
          {"p50_us", sample.latency.Quantile(0.5)},
          {"p99_us", sample.latency.Quantile(0.99)},
          {"max_us", sample.latency.max}};
}

// [the greatest value of a cell, how many are in it], of the cells that are not empty.
nlohmann::json CellsJson(const meter::Distribution& latency) {
  nlohmann::json cells = nlohmann::json::array();
  for (size_t i = 0; i < latency.cells.size(); ++i) {
    if (latency.cells[i] > 0) cells.push_back({meter::CellEnd(i), latency.cells[i]});
  }
  return cells;
}

nlohmann::json TimelineJson(const BenchResult& result) {
  nlohmann::json timeline = nlohmann::json::array();
  for (const BenchMoment& moment : result.timeline) {
    nlohmann::json json = SampleJson(moment.All());
    json["at_seconds"] = static_cast<double>(moment.at_us) / 1e6;
    for (size_t i = 0; i < moment.streams.size(); ++i) {
      json["streams"][result.plan.streams[i].name] = SampleJson(moment.streams[i]);
    }
    timeline.push_back(std::move(json));
  }
  return timeline;
}

std::string Heading(const BenchResult& result) {
  const BenchPlan& plan = result.plan;
  std::string text = fmt::format(
      "{}: {} commands/s for {} s, {} connections to {}, at most {} under way on each\n", plan.name,
      plan.rate, plan.seconds, plan.connections, result.address.text(), plan.pipeline);
  if (plan.streams.size() > 1 && plan.rate != plan.own_rate) {
    text += fmt::format("  that is {:.3g} times the {} commands/s of the scenario itself\n",
                        static_cast<double>(plan.rate) / static_cast<double>(plan.own_rate),
                        plan.own_rate);
  }
  if (!result.run.priority_refused().empty()) {
    text += fmt::format(
        "  the server does not take SLUICE PRIORITY: \"{}\"; its classes are what "
        "it knows of the keys\n",
        result.run.priority_refused());
  }
  return text;
}

}  // namespace

bool BenchApplied::agrees() const {
  const auto sum = static_cast<uint64_t>(applied);
  return applied >= 0 && sum >= acknowledged && sum <= acknowledged + unknown;
}

BenchApplied Acknowledged(const BenchPlan& plan, const BenchRun& run) {
  BenchApplied found;
  for (size_t i = 0; i < plan.streams.size(); ++i) {
    const BenchTally& tally = run.tally(i);
    bool any = false;
    for (size_t c = 0; c < plan.streams[i].commands.size(); ++c) {
      if (!IsCounted(plan.streams[i].commands[c])) continue;
      any = true;
      found.acknowledged += tally.latency_of(c).count;
    }
    if (!any) continue;
    const auto in_doubt = tally.errors_by_name().find("INDOUBT");
    found.unknown += run.lost(i);
    if (in_doubt != tally.errors_by_name().end()) found.unknown += in_doubt->second;
  }
  return found;
}

std::string BenchMomentLine(const BenchPlan& plan, const BenchMoment& moment) {
  const BenchSample all = moment.All();
  const bool whole = plan.sample_ms % 1'000 == 0;
  std::string text = fmt::format("{:.{}f} s: {} answered, ms: p50 {}  p99 {}  max {}",
                                 static_cast<double>(moment.at_us) / 1e6, whole ? 0 : 2,
                                 all.answered, Ms(all.latency.Quantile(0.5)),
                                 Ms(all.latency.Quantile(0.99)), Ms(all.latency.max));
  for (size_t i = 0; i < moment.streams.size() && moment.streams.size() > 1; ++i) {
    const BenchSample& sample = moment.streams[i];
    text += fmt::format("; {} {} p99 {}", plan.streams[i].name, sample.answered,
                        Ms(sample.latency.Quantile(0.99)));
  }
  if (all.refused > 0) text += fmt::format("; {} refused", all.refused);
  if (all.errors > 0) text += fmt::format("; {} errors", all.errors);
  if (all.queue > 0) text += fmt::format("; {} wait", all.queue);
  return text;
}

std::string BenchText(const BenchResult& result) {
  const BenchPlan& plan = result.plan;
  const Totals all = All(result.run, plan.streams.size());
  std::string text = Heading(result) + Text(all, result.run);
  text += fmt::format("from due to reply, ms   {}\n", Line(all.latency));
  for (size_t i = 0; i < plan.streams.size(); ++i) {
    text += StreamText(plan.streams[i], i, plan.streams.size() == 1, result.run);
  }
  if (all.refused > 0) text += fmt::format("to a refusal, ms   {}\n", Line(all.refusal_latency));
  text += fmt::format("of that, this generator ms   {}\n", Line(all.lateness));
  text += fmt::format("this generator used {:.2f} of a core\n", result.run.cores());
  if (result.applied) {
    text += fmt::format("applied {} acknowledged {}", result.applied->applied,
                        result.applied->acknowledged);
    if (result.applied->unknown > 0) text += fmt::format(" unknown {}", result.applied->unknown);
    text += "\n";
  }
  return text;
}

std::string BenchJson(const BenchResult& result) {
  const BenchPlan& plan = result.plan;
  const Totals all = All(result.run, plan.streams.size());
  nlohmann::json json = TotalsJson(all, result.run);
  json["latency_us"]["cells"] = CellsJson(all.latency);
  json["scenario"] = plan.name;
  json["server"] = result.address.text();
  json["rate"] = plan.rate;
  json["scenario_rate"] = plan.own_rate;
  json["seconds"] = plan.seconds;
  json["connections"] = plan.connections;
  json["pipeline"] = plan.pipeline;
  json["generator_cores"] = result.run.cores();
  if (!result.run.priority_refused().empty()) {
    json["priority_refused"] = result.run.priority_refused();
  }
  json["commands"] = nlohmann::json::array();
  for (size_t i = 0; i < plan.streams.size(); ++i) {
    const BenchStream& stream = plan.streams[i];
    Totals totals;
    totals.Add(result.run, i);
    nlohmann::json of_stream = TotalsJson(totals, result.run);
    of_stream["rate"] = stream.rate;
    of_stream["connections"] = stream.connections;
    of_stream["keys"] = stream.keys.count;
    json["streams"][stream.name] = std::move(of_stream);
    for (nlohmann::json& command : CommandsJson(stream, result.run.tally(i))) {
      json["commands"].push_back(std::move(command));
    }
  }
  if (result.applied) {
    json["applied"] = result.applied->applied;
    json["acknowledged"] = result.applied->acknowledged;
    json["unknown"] = result.applied->unknown;
  }
  json["timeline"] = TimelineJson(result);
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string BenchSvg(const BenchResult& result) {
  const BenchPlan& plan = result.plan;
  const bool single = plan.streams.size() == 1;
  Chart chart{.title = plan.name, .note = {}, .seconds_per_point = plan.sample_ms / 1e3};
  chart.note = fmt::format("{} commands/s at 1x, {} connections, at most {} under way on each; {}",
                           plan.rate, plan.connections, plan.pipeline, result.address.text());
  for (const BenchStream& stream : plan.streams) {
    chart.series.push_back(single ? "answered" : stream.name);
  }
  ChartPanel throughput{.title = "Answered", .unit = "/s"};
  ChartPanel p99{.title = "p99 from due to reply", .unit = "ms", .log = true};
  ChartPanel refusals{.title = "Refused", .unit = "/s"};
  ChartPanel queue{.title = "Due, and neither answered nor refused", .unit = ""};
  for (ChartPanel* panel : {&throughput, &p99, &refusals, &queue}) {
    panel->values.resize(plan.streams.size());
  }
  const double per_second = 1e3 / static_cast<double>(plan.sample_ms);
  for (const BenchMoment& moment : result.timeline) {
    throughput.dashed.push_back(per_second * static_cast<double>(moment.All().due));
    for (size_t i = 0; i < moment.streams.size(); ++i) {
      const BenchSample& sample = moment.streams[i];
      throughput.values[i].push_back(per_second * static_cast<double>(sample.answered));
      p99.values[i].push_back(sample.answered == 0 ? kChartGap
                                                   : sample.latency.Quantile(0.99) / 1e3);
      refusals.values[i].push_back(per_second * static_cast<double>(sample.refused));
      queue.values[i].push_back(static_cast<double>(sample.queue));
    }
  }
  chart.dashed = "due, all together";
  chart.panels = {throughput, p99, refusals, queue};
  return ChartSvg(chart);
}

}  // namespace sluice::cli
