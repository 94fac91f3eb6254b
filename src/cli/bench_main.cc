#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/bench.h"
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
  BenchPlan plan;
  Address address;
  std::string url;
  std::vector<std::string> commands;
  size_t value_bytes = 100;
  bool json = false;
};

std::string Help() {
  std::string help = "Scenarios:\n";
  for (const BenchScenario& scenario : BenchScenarios()) {
    help += fmt::format("  {:<10}{}:", scenario.name, scenario.what);
    for (const std::string_view command : scenario.commands) help += fmt::format("  '{}'", command);
    help += "\n";
  }
  return help +
         "\nOpen loop: when each command is due is fixed by --rate, and its latency runs from then,"
         "\nnot from when it could be sent. docs/operating/bench.md says more.\n";
}

void Describe(CLI::App& app, Options& options) {
  BenchPlan& plan = options.plan;
  app.footer(Help());
  app.add_option("SCENARIO", plan.name, "one of those below; or --do");
  app.add_option("--do", options.commands,
                 "a command, '80:' in front its weight; {key} a number below --keys, {value} "
                 "--value-bytes, {n} the command's number")
      ->expected(1)
      ->take_all();
  app.add_option("--rate", plan.rate, "commands a second, over all connections")
      ->check(CLI::Range(uint64_t{1}, kBenchRateMax))
      ->capture_default_str();
  app.add_option("--seconds", plan.seconds, "how long")
      ->check(CLI::Range(uint64_t{1}, kBenchSecondsMax))
      ->capture_default_str();
  app.add_option("--connections", plan.connections, "how many")
      ->check(CLI::Range(size_t{1}, kBenchConnectionsMax))
      ->capture_default_str();
  app.add_option("--pipeline", plan.pipeline, "commands under way on one connection at most")
      ->check(CLI::Range(size_t{1}, kBenchPipelineMax))
      ->capture_default_str();
  app.add_option("--keys", plan.keys, "different keys")
      ->check(CLI::Range(uint64_t{1}, kBenchKeysMax))
      ->capture_default_str();
  app.add_option("--value-bytes", options.value_bytes, "of a {value}")
      ->check(CLI::Range(size_t{0}, kBenchValueBytesMax))
      ->capture_default_str();
  app.add_option("--seed", plan.seed, "of the random keys and values")->capture_default_str();
  app.add_option("--host", options.address.host, "where the server is")->capture_default_str();
  app.add_option("--port", options.address.port, "its port")->capture_default_str();
  app.add_option("--url", options.url, "or both as redis://user:password@host:port");
  app.add_flag("--json", options.json, "the result as one JSON object");
}

// What the words of the command line mean.
Status Resolve(Options* options) {
  if (!options->url.empty()) {
    SLUICE_ASSIGN(options->address, ParseUrl(options->url));
  }
  BenchPlan& plan = options->plan;
  if (plan.name.empty() == options->commands.empty()) {
    return Fail(Code::kInvalid, "name a scenario, or give commands with --do (see --help)");
  }
  if (const BenchScenario* scenario = FindBenchScenario(plan.name)) {
    options->commands.assign(scenario->commands.begin(), scenario->commands.end());
  } else if (!plan.name.empty()) {
    return Fail(Code::kInvalid, fmt::format("there is no scenario '{}' (see --help)", plan.name));
  }
  for (const std::string& text : options->commands) {
    Result<BenchCommand> command = BenchCommand::Parse(text, options->value_bytes);
    if (!command.has_value()) {
      return Fail(Code::kInvalid, fmt::format("'{}': {}", text, command.error().message));
    }
    plan.commands.push_back(std::move(*command));
  }
  if (plan.name.empty()) plan.name = options->commands.front();
  return Ok();
}

int Measure(const Options& options) {
  env::LinuxClock clock;
  BenchRun run(options.plan, clock, &stop_requested);
  if (const Status connected = run.Connect(options.address); !connected.ok()) {
    return Complain(fmt::format("{}: {}", options.address.text(), connected.error().message),
                    kFailed);
  }
  std::vector<BenchSecond> seconds;
  const Status status = run.Run([&](uint64_t second, const BenchSecond& brought) {
    seconds.push_back(brought);
    fmt::print(stderr, "{}\n", BenchSecondLine(second, brought));
  });
  fmt::print("{}", options.json ? BenchJson(options.plan, options.address, run, seconds)
                                : BenchText(options.plan, options.address, run));
  if (!status.ok()) return Complain(status.error().message, kFailed);
  return run.tally().failures() > 0 || run.tally().unanswered() > 0 ? kFailed : kDone;
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
  if (const Status resolved = Resolve(&options); !resolved.ok()) {
    return Complain(resolved.error().message, kWrongUsage);
  }
  TakeStopSignals();
  return Measure(options);
}

}  // namespace sluice::cli
