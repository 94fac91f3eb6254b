#include "cli/bench_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

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

double PerSecond(const BenchRun& run) {
  const double seconds = static_cast<double>(run.elapsed_us()) / 1e6;
  return seconds > 0 ? static_cast<double>(run.tally().answered()) / seconds : 0;
}

}  // namespace

std::string BenchSecondLine(uint64_t second, const BenchSecond& brought) {
  std::string text =
      fmt::format("{} s: {} answered, ms: p50 {}  p99 {}  max {}", second, brought.answered,
                  Ms(brought.p50), Ms(brought.p99), Ms(brought.max));
  if (brought.errors > 0) text += fmt::format(", {} errors", brought.errors);
  return text;
}

std::string BenchText(const BenchPlan& plan, const Address& address, const BenchRun& run) {
  const BenchTally& tally = run.tally();
  std::string text = fmt::format(
      "{}: {} commands/s for {} s, {} connections to {}, at most {} under way on each\n"
      "{} were due: {} answered, {} errors, {} without a reply; {:.0f} answered/s\n",
      plan.name, plan.rate, plan.seconds, plan.connections, address.text(), plan.pipeline,
      run.due(), tally.answered(), tally.error_count(), tally.unanswered(), PerSecond(run));
  for (const auto& [name, count] : tally.errors()) {
    text += fmt::format("  error {}: {}\n", name, count);
  }
  text += fmt::format("from due to reply, ms   {}\n", Line(tally.latency()));
  for (size_t i = 0; i < plan.commands.size() && plan.commands.size() > 1; ++i) {
    text += fmt::format("  {}\n    {} answered, ms   {}\n", plan.commands[i].text(),
                        tally.latency_of(i).count, Line(tally.latency_of(i)));
  }
  text += fmt::format("of that, this generator ms   {}\n", Line(run.lateness()));
  return text;
}

std::string BenchJson(const BenchPlan& plan, const Address& address, const BenchRun& run,
                      const std::vector<BenchSecond>& seconds) {
  const BenchTally& tally = run.tally();
  nlohmann::json json = {{"scenario", plan.name},
                         {"server", address.text()},
                         {"rate", plan.rate},
                         {"seconds", plan.seconds},
                         {"connections", plan.connections},
                         {"pipeline", plan.pipeline},
                         {"keys", plan.keys},
                         {"due", run.due()},
                         {"answered", tally.answered()},
                         {"answered_per_second", PerSecond(run)},
                         {"unanswered", tally.unanswered()},
                         {"errors", tally.errors()},
                         {"latency_us", Json(tally.latency())},
                         {"generator_us", Json(run.lateness())}};
  for (size_t i = 0; i < plan.commands.size(); ++i) {
    json["commands"].push_back(
        {{"command", plan.commands[i].text()}, {"latency_us", Json(tally.latency_of(i))}});
  }
  json["each_second"] = nlohmann::json::array();
  for (const BenchSecond& second : seconds) {
    json["each_second"].push_back({{"answered", second.answered},
                                   {"errors", second.errors},
                                   {"p50_us", second.p50},
                                   {"p99_us", second.p99},
                                   {"max_us", second.max}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
