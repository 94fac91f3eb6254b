#include "cli/bench_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "cli/bench_scenarios.h"

namespace sluice::cli {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint64_t kKeys = 1'000'000;
constexpr size_t kValueBytes = 100;
constexpr uint64_t kRate = 10'000;

Result<std::vector<BenchCommand>> Commands(std::span<const std::string_view> texts,
                                           size_t value_bytes) {
  std::vector<BenchCommand> commands;
  for (const std::string_view text : texts) {
    Result<BenchCommand> command = BenchCommand::Parse(text, value_bytes);
    if (!command.has_value()) {
      return Fail(Code::kInvalid, fmt::format("'{}': {}", text, command.error().message));
    }
    commands.push_back(std::move(*command));
  }
  return commands;
}

std::vector<BenchPhase> Phases(const BenchOptions& options, bool bursts, uint64_t seconds,
                               double rate) {
  if (bursts) return BenchBursts(rate, seconds);
  std::vector<BenchPhase> phases;
  const uint64_t run_us = seconds * kSecondUs;
  for (const double step : options.steps) {
    phases.push_back({.us = run_us / options.steps.size(), .rate = step * rate});
  }
  if (phases.empty()) phases.push_back({.us = run_us, .rate = rate});
  return phases;
}

// The bounds that depend on several options.
Status Check(const BenchOptions& options, const BenchPlan& plan, bool bursts) {
  if (bursts && !options.steps.empty()) {
    return Fail(Code::kInvalid, "this scenario has a schedule of its own: no --steps");
  }
  double most = bursts ? kBenchBurstTimes : 1;
  for (const double step : options.steps) most = std::max(most, step);
  if (plan.rate < 1 || most * static_cast<double>(plan.rate) > kBenchRateMax) {
    return Fail(Code::kInvalid,
                fmt::format("the rate must be from 1 to {} at any time", kBenchRateMax));
  }
  return Ok();
}

Status AddStream(const BenchOptions& options, const BenchScenario& scenario,
                 const BenchStreamSpec& spec, BenchPlan* plan) {
  uint64_t weights = 0, lines = 0;
  for (const BenchStreamSpec& each : scenario.streams) weights += each.weight, lines += each.lines;
  BenchStream stream{.name = std::string(spec.name), .priority = std::string(spec.priority)};
  SLUICE_ASSIGN(stream.commands,
                Commands(spec.commands, options.value_bytes.value_or(scenario.value_bytes)));
  stream.keys = spec.keys;
  if (stream.keys.count == 0) stream.keys.count = options.keys.value_or(scenario.keys);
  stream.keys.celebrities = std::min(stream.keys.celebrities, stream.keys.count);
  stream.rate = static_cast<double>(plan->rate * spec.weight) / static_cast<double>(weights);
  stream.phases = Phases(options, scenario.bursts, plan->seconds, stream.rate);
  const double connections = std::round(static_cast<double>(options.connections * spec.lines) /
                                        static_cast<double>(lines));
  stream.connections = std::max<size_t>(1, static_cast<size_t>(connections));
  plan->connections += stream.connections;
  plan->streams.push_back(std::move(stream));
  return Ok();
}

bool SendsNothing(const BenchPlan& plan) {
  return std::all_of(plan.streams.begin(), plan.streams.end(), [](const BenchStream& stream) {
    return BenchSchedule(0, stream.phases).total() == 0;
  });
}

}  // namespace

Result<std::vector<double>> ParseBenchSteps(std::string_view text) {
  std::vector<double> steps;
  for (size_t at = 0; at <= text.size(); ++at) {
    const std::string_view word = text.substr(at, text.find(',', at) - at);
    long double step = 0;
    if (!ParseLongDouble(word, &step) || !(step >= 0 && step <= kBenchScaleMax)) {
      return Fail(Code::kInvalid, fmt::format("--steps {}: \"{}\" is no number from 0 to {}", text,
                                              word, kBenchScaleMax));
    }
    steps.push_back(static_cast<double>(step));
    at += word.size();
  }
  if (steps.size() > kBenchStepsMax) {
    return Fail(Code::kInvalid, fmt::format("--steps: at most {}", kBenchStepsMax));
  }
  return steps;
}

Result<BenchPlan> MakeBenchPlan(const BenchOptions& options) {
  if (options.scenario.empty() == options.commands.empty()) {
    return Fail(Code::kInvalid,
                options.scenario.empty()
                    ? "name a scenario, or give commands with --do (see --help)"
                    : fmt::format("there are a scenario, '{}', and commands of --do: one of both "
                                  "is what is sent (see --help)",
                                  options.scenario));
  }
  const std::vector<std::string_view> own(options.commands.begin(), options.commands.end());
  const BenchStreamSpec own_stream{.name = "all", .commands = own};
  BenchScenario scenario{.streams = std::span(&own_stream, 1),
                         .rate = kRate,
                         .keys = kKeys,
                         .value_bytes = kValueBytes};
  if (!options.scenario.empty()) {
    const BenchScenario* const found = FindBenchScenario(options.scenario);
    if (found == nullptr) {
      return Fail(Code::kInvalid,
                  fmt::format("there is no scenario '{}' (see --help)", options.scenario));
    }
    scenario = *found;
  }
  const double rate = static_cast<double>(options.rate.value_or(scenario.rate)) * options.scale;
  const uint64_t seconds = options.seconds.value_or(scenario.seconds);
  BenchPlan plan{
      .name = options.commands.empty() ? options.scenario : options.commands.front(),
      .rate = static_cast<uint64_t>(std::llround(rate)),
      .own_rate = scenario.rate,
      .seconds = seconds,
      .pipeline = options.pipeline,
      .seed = options.seed,
      .sample_ms = options.sample_ms,
      .drain_us = kSecondUs * options.drain_seconds.value_or(std::min(seconds, kBenchDrainSeconds)),
      .counts = options.commands.empty()};
  SLUICE_TRY(Check(options, plan, scenario.bursts));
  for (const BenchStreamSpec& spec : scenario.streams) {
    SLUICE_TRY(AddStream(options, scenario, spec, &plan));
  }
  if (SendsNothing(plan)) {
    return Fail(Code::kInvalid, "at this rate, and for so long, nothing would be sent");
  }
  constexpr uint64_t kQuiet = kBenchBurstEverySeconds - kBenchBurstSeconds;
  if (scenario.bursts && seconds <= kQuiet) {
    plan.note =
        fmt::format("the first burst begins after {} s: there is none in {} s", kQuiet, seconds);
  }
  return plan;
}

}  // namespace sluice::cli
