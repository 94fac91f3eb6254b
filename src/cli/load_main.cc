#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <string>

#include "cli/load.h"
#include "env/linux/clock.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;

volatile int stop_requested = 0;

// The first signal stops the load in order; a second one ends the process as usual.
void TakeStopSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Complain(const Error& error, int status) {
  fmt::print(stderr, "sluice load: {}\n", error.message);
  return status;
}

int StatusOf(const Error& error) {
  const bool usage = error.code == Code::kInvalid || error.code == Code::kNotFound;
  return usage ? kWrongUsage : kFailed;
}

}  // namespace

int LoadMain(int argc, const char* const* argv) {
  LoadOptions options;
  std::string url;
  bool resume = false, restart = false;
  std::string format;

  CLI::App app("Feeds CSV, TSV or NDJSON to a running server, each row exactly once.",
               "sluice load");
  app.add_option("FILE", options.file, "a file (.csv .tsv .ndjson, with .bz2 too), or -")
      ->required();
  app.add_option("--do", options.commands,
                 "a command for each row, in which {column} stands for the row's value")
      ->required()
      ->expected(1)
      ->take_all();
  app.add_option("--host", options.address.host, "where the server is")->capture_default_str();
  app.add_option("--port", options.address.port, "its port")->capture_default_str();
  app.add_option("--url", url, "or both as redis://user:password@host:port");
  app.add_option("--rejects", options.rejects, "takes the rows that could not be applied");
  app.add_option("--format", format, "if the name does not say")
      ->check(CLI::IsMember({"csv", "tsv", "ndjson"}));
  app.add_option("--window", options.window, "commands under way at once")
      ->check(CLI::Range(size_t{1}, kInFlightMax))
      ->capture_default_str();
  CLI::Option* resuming = app.add_flag("--resume", resume, "go on with a load that was stopped");
  app.add_flag("--restart", restart, "apply every row again")->excludes(resuming);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (!url.empty()) {
    Result<Address> address = ParseUrl(url);
    if (!address.has_value()) return Complain(address.error(), kWrongUsage);
    options.address = std::move(*address);
  }
  if (format == "csv") options.format = Format::kCsv;
  if (format == "tsv") options.format = Format::kTsv;
  if (format == "ndjson") options.format = Format::kNdjson;
  if (resume) options.begin = LoadOptions::Begin::kResume;
  if (restart) options.begin = LoadOptions::Begin::kRestart;

  TakeStopSignals();
  env::LinuxClock clock;
  Load load(std::move(options), clock, &stop_requested);
  if (const Status prepared = load.Prepare(); !prepared.ok()) {
    return Complain(prepared.error(), StatusOf(prepared.error()));
  }
  const Result<bool> all = load.Run();
  if (all.has_value()) return *all ? kDone : kFailed;
  return Complain(all.error(), all.error().code == Code::kConflict ? kWrongUsage : kFailed);
}

}  // namespace sluice::cli
