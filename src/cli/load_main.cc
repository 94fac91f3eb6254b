#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <string>

#include "cli/copy.h"
#include "cli/load.h"
#include "env/linux/clock.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2, kDamaged = 3;

constexpr uint16_t kRedisPort = 6379;
constexpr uint64_t kCountMax = 10'000;

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
  if (error.code == Code::kCorrupt) return kDamaged;
  const bool usage = error.code == Code::kInvalid || error.code == Code::kNotFound;
  return usage ? kWrongUsage : kFailed;
}

int StatusOf(const Result<bool>& all) {
  if (all.has_value()) return *all ? kDone : kFailed;
  if (all.error().code == Code::kCorrupt) return Complain(all.error(), kDamaged);
  return Complain(all.error(), all.error().code == Code::kConflict ? kWrongUsage : kFailed);
}

// What was said on the command line.
struct Said {
  LoadOptions load;
  CopyOptions copy;
  std::string url, from, format;
  bool resume = false, restart = false;
};

void Describe(CLI::App& app, Said& said) {
  CLI::Option* file = app.add_option("FILE", said.load.file,
                                     "a file (.csv .tsv .ndjson, also .gz .zst .bz2), or -");
  CLI::Option* doing =
      app.add_option("--do", said.load.commands,
                     "a command for each row, in which {column} stands for the row's value");
  doing->expected(1)->take_all();
  CLI::Option* from =
      app.add_option("--from", said.from, "copies from redis://user:password@host:port/database");
  from->excludes(file)->excludes(doing);
  app.add_option("--match", said.copy.match, "only keys that match, as SCAN does")->needs(from);
  app.add_option("--count", said.copy.count, "keys that each SCAN is asked for")
      ->needs(from)
      ->check(CLI::Range(uint64_t{1}, kCountMax))
      ->capture_default_str();
  app.add_option("--host", said.load.address.host, "where the server is")->capture_default_str();
  app.add_option("--port", said.load.address.port, "its port")->capture_default_str();
  app.add_option("--url", said.url, "or both as redis://user:password@host:port");
  app.add_option("--rejects", said.load.rejects, "takes what could not be applied");
  app.add_option("--format", said.format, "if the name does not say")
      ->check(CLI::IsMember({"csv", "tsv", "ndjson"}))
      ->excludes(from);
  app.add_option("--window", said.load.window, "commands under way at once")
      ->check(CLI::Range(size_t{1}, kInFlightMax))
      ->excludes(from)
      ->capture_default_str();
  CLI::Option* resume = app.add_flag("--resume", said.resume, "go on with a load that was stopped");
  app.add_flag("--restart", said.restart, "apply everything again")->excludes(resume);
  app.footer("Exit status: 0 all is applied, 1 some is not, 2 wrong usage, 3 damaged data.");
}

int RunCopy(CopyOptions options, const std::string& from, const LoadOptions& load,
            env::Clock& clock) {
  Result<Address> address = ParseUrl(from, kRedisPort);
  if (!address.has_value()) return Complain(address.error(), kWrongUsage);
  options.from = std::move(*address);
  options.to = load.address;
  options.rejects = load.rejects;
  options.begin = load.begin;
  return StatusOf(Copy(std::move(options), clock, &stop_requested).Run());
}

int RunLoad(LoadOptions options, const std::string& format, env::Clock& clock) {
  if (options.file.empty()) {
    return Complain({Code::kInvalid, "FILE, or --from redis://…, says what to load"}, kWrongUsage);
  }
  if (format == "csv") options.format = Format::kCsv;
  if (format == "tsv") options.format = Format::kTsv;
  if (format == "ndjson") options.format = Format::kNdjson;
  Load load(std::move(options), clock, &stop_requested);
  if (const Status prepared = load.Prepare(); !prepared.ok()) {
    return Complain(prepared.error(), StatusOf(prepared.error()));
  }
  return StatusOf(load.Run());
}

}  // namespace

int LoadMain(int argc, const char* const* argv) {
  Said said;
  CLI::App app(
      "Feeds CSV, TSV or NDJSON to a running server, each row exactly once; or, with --from, the "
      "keys of a running Redis.",
      "sluice load");
  Describe(app, said);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (!said.url.empty()) {
    Result<Address> address = ParseUrl(said.url);
    if (!address.has_value()) return Complain(address.error(), kWrongUsage);
    said.load.address = std::move(*address);
  }
  if (said.resume) said.load.begin = LoadOptions::Begin::kResume;
  if (said.restart) said.load.begin = LoadOptions::Begin::kRestart;
  TakeStopSignals();
  env::LinuxClock clock;
  if (!said.from.empty()) return RunCopy(std::move(said.copy), said.from, said.load, clock);
  return RunLoad(std::move(said.load), said.format, clock);
}

}  // namespace sluice::cli
