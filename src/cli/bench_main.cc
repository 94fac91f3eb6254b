#include <fmt/format.h>
#include <sched.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "cli/bench.h"
#include "cli/bench_count.h"
#include "cli/bench_report.h"
#include "cli/bench_run.h"
#include "cli/bench_scenarios.h"
#include "env/linux/clock.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;

volatile int stop_requested = 0;

void TakeStopSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Complain(std::string_view message, int status) {
  fmt::print(stderr, "sluice bench: {}\n", message);
  return status;
}

struct Options {
  BenchOptions bench;
  Address address;
  std::string url, svg;
  std::optional<std::string> steps;
  int cpu = -1;
  bool json = false, print_config = false;
};

std::string Help() {
  std::string help = "Scenarios:\n";
  for (const BenchScenario& scenario : BenchScenarios()) {
    help += fmt::format("  {:<12}{}\n", scenario.name, scenario.what);
    for (const BenchStreamSpec& stream : scenario.streams) {
      help += fmt::format("  {:<12}", "");
      for (const std::string_view command : stream.commands) help += fmt::format("  '{}'", command);
      help += "\n";
    }
  }
  return help +
         "\nOpen loop: when each command is due is fixed by --rate, and its latency runs from then,"
         "\nnot from when it could be sent. docs/operating/bench.md says more.\n";
}

void DescribeLoad(CLI::App& app, BenchOptions& bench) {
  app.add_option("SCENARIO", bench.scenario, "one of those below; or --do");
  app.add_option("--do", bench.commands,
                 "a command, '80:' in front its weight; {key} a number below --keys, {value} "
                 "--value-bytes, {n} the command's number")
      ->expected(1)
      ->take_all();
  auto* const rate = app.add_option("--rate", bench.rate,
                                    "commands a second, all together; the scenario's own "
                                    "unless said")
                         ->check(CLI::Range(uint64_t{1}, kBenchRateMax));
  app.add_option("--scale", bench.scale, "times the scenario's own rate")
      ->excludes(rate)
      ->check(CLI::Range(1e-6, kBenchScaleMax));
  app.add_option("--seconds", bench.seconds, "how long; 10, or 60 of burst, unless said")
      ->check(CLI::Range(uint64_t{1}, kBenchSecondsMax));
  app.add_option("--connections", bench.connections, "how many, shared as the rate is")
      ->check(CLI::Range(size_t{1}, kBenchConnectionsMax))
      ->capture_default_str();
  app.add_option("--pipeline", bench.pipeline, "commands under way on one connection at most")
      ->check(CLI::Range(size_t{1}, kBenchPipelineMax))
      ->capture_default_str();
  app.add_option("--keys", bench.keys, "different keys; the scenario's own unless said")
      ->check(CLI::Range(uint64_t{1}, kBenchKeysMax));
  app.add_option("--value-bytes", bench.value_bytes, "of a {value}; the scenario's own unless said")
      ->check(CLI::Range(size_t{0}, kBenchValueBytesMax));
  app.add_option("--seed", bench.seed, "of the random keys and values")->capture_default_str();
  app.add_option("--sample-ms", bench.sample_ms, "a line, and a point of the chart, each so often")
      ->check(CLI::Range(100, 60'000))
      ->capture_default_str();
  app.add_option("--drain", bench.drain_seconds,
                 "seconds after the run in which what is still due goes out; as long as the run, "
                 "and at most 10, unless said")
      ->check(CLI::Range(uint64_t{0}, kBenchSecondsMax));
}

void Describe(CLI::App& app, Options& options) {
  app.footer(Help());
  DescribeLoad(app, options.bench);
  app.add_option("--steps", options.steps,
                 "as 0.5,1,2: the rate in steps, each as long as the others");
  app.add_option("--cpu", options.cpu, "runs on this processor only")
      ->check(CLI::Range(0, CPU_SETSIZE - 1));
  app.add_option("--host", options.address.host, "where the server is")->capture_default_str();
  app.add_option("--port", options.address.port, "its port")->capture_default_str();
  app.add_option("--url", options.url, "or both as redis://user:password@host:port");
  app.add_flag("--json", options.json, "the result as one JSON object");
  app.add_option("--svg", options.svg,
                 "a chart of throughput, p99, refusals and queue over time, to this file");
  app.add_flag("--print-config", options.print_config,
               "prints the keyspaces that the scenario is meant for, and ends");
}

Status Pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) == 0) return Ok();
  return Fail(Code::kInvalid, fmt::format("--cpu {}: {}", cpu, std::strerror(errno)));
}

// kIo: the file cannot be written.
Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return Ok();
  return Fail(Code::kIo, fmt::format("{}: cannot be written", path));
}

// That it can be written, before a run is spent on it. What is there stays as it is.
Status CheckFile(const std::string& path) {
  std::error_code error;
  const bool was_there = std::filesystem::exists(path, error);
  const bool good = std::ofstream(path, std::ios::binary | std::ios::app).good();
  if (good && !was_there) std::filesystem::remove(path, error);
  return good ? Ok() : Fail(Code::kIo, fmt::format("{}: cannot be written", path));
}

Result<bool> Measure(const Options& options, const BenchPlan& plan) {
  env::LinuxClock clock;
  const bool counts = plan.counts && CountersOf(plan) > 0;
  int64_t before = 0;
  if (counts) {
    SLUICE_ASSIGN(before, SumCounters(plan, options.address, clock));
  }
  BenchRun run(plan, clock, &stop_requested);
  SLUICE_TRY(run.Connect(options.address));
  std::vector<BenchMoment> timeline;
  const Status status = run.Run([&](const BenchMoment& moment) {
    timeline.push_back(moment);
    fmt::print(stderr, "{}\n", BenchMomentLine(plan, moment));
  });
  BenchResult result{plan, options.address, run, timeline, {}};
  bool good = true;
  if (counts && status.ok()) {
    SLUICE_ASSIGN(const int64_t after, SumCounters(plan, options.address, clock));
    result.applied = Acknowledged(plan, run);
    result.applied->applied = after - before;
    good = result.applied->agrees();
  }
  for (size_t i = 0; i < plan.streams.size(); ++i) {
    good = good && run.tally(i).errors() == 0 && run.tally(i).unanswered() == 0;
  }
  fmt::print("{}", options.json ? BenchJson(result) : BenchText(result));
  if (!options.svg.empty()) SLUICE_TRY(WriteFile(options.svg, BenchSvg(result)));
  SLUICE_TRY(status);
  return good;
}

// What the command line asks for; its address is looked up.
Result<BenchPlan> Prepare(Options& options) {
  if (options.steps.has_value()) {
    SLUICE_ASSIGN(options.bench.steps, ParseBenchSteps(*options.steps));
  }
  SLUICE_ASSIGN(BenchPlan plan, MakeBenchPlan(options.bench));
  if (!options.url.empty()) {
    SLUICE_ASSIGN(options.address, ParseUrl(options.url));
  }
  if (!options.svg.empty()) SLUICE_TRY(CheckFile(options.svg));
  if (options.cpu >= 0) SLUICE_TRY(Pin(options.cpu));
  return plan;
}

int PrintConfig(const std::string& name) {
  const BenchScenario* const scenario = FindBenchScenario(name);
  if (scenario == nullptr) return Complain("--print-config needs a scenario", kWrongUsage);
  fmt::print("# sluice bench {}\n{}", name,
             scenario->config.empty() ? "# any: its keys are of the default keyspace\n"
                                      : scenario->config);
  return kDone;
}

}  // namespace

int BenchMain(int argc, const char* const* argv) {
  CLI::App app("Sends commands at a fixed rate to any Redis server; says how long they took.",
               "sluice bench");
  Options options;
  Describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (options.print_config) return PrintConfig(options.bench.scenario);
  const Result<BenchPlan> plan = Prepare(options);
  if (!plan.has_value()) return Complain(plan.error().message, kWrongUsage);
  if (!plan->note.empty()) fmt::print(stderr, "sluice bench: {}\n", plan->note);
  TakeStopSignals();
  const Result<bool> good = Measure(options, *plan);
  if (!good.has_value()) {
    return Complain(fmt::format("{}: {}", options.address.text(), good.error().message), kFailed);
  }
  return *good ? kDone : kFailed;
}

}  // namespace sluice::cli
