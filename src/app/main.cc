// The program `sluice`: its command line.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>

#include "app/serve.h"
#include "cli/advise.h"
#include "cli/bench.h"
#include "cli/check.h"
#include "cli/inspect.h"
#include "cli/load.h"
#include "cli/plan.h"
#include "cli/projection.h"
#include "cli/shard.h"

namespace sluice::app {
namespace {

constexpr int kWrongUsage = 2;

// Named in the manual, not in this version yet.
constexpr std::array<std::string_view, 5> kLater = {"top", "txn", "saga", "restore", "backup"};

int Main(int argc, char** argv) {
  if (argc > 1) {
    const std::string_view verb = argv[1];
    for (const std::string_view later : kLater) {
      if (verb != later) continue;
      fmt::print(stderr, "sluice {}: not available yet in this version\n", verb);
      return kWrongUsage;
    }
    if (verb == "load") return cli::LoadMain(argc - 1, argv + 1);
    if (verb == "advise") return cli::AdviseMain(argc - 1, argv + 1);
    if (verb == "bench") return cli::BenchMain(argc - 1, argv + 1);
    if (verb == "inspect") return cli::InspectMain(argc - 1, argv + 1);
    if (verb == "plan") return cli::PlanMain(argc - 1, argv + 1);
    if (verb == "projection") return cli::ProjectionMain(argc - 1, argv + 1);
    if (verb == "shard") return cli::ShardMain(argc - 1, argv + 1);
  }
  CLI::App app{"Sluice: the write path of a write-heavy application"};
  app.require_subcommand(1);
  app.set_version_flag("--version", SLUICE_VERSION " (" SLUICE_BUILD ")");

  ServeOptions serve;
  std::string log_format = "json";
  CLI::App* serve_verb = app.add_subcommand("serve", "run the server");
  serve_verb->add_option("--config", serve.config_file, "TOML file; without one, all defaults");
  serve_verb->add_option("--data", serve.data, "directory of all data")->capture_default_str();
  serve_verb->add_option("--port", serve.port, "port of server.listen");
  serve_verb->add_option("--http-port", serve.http_port, "port of server.http");
  serve_verb->add_option("--set", serve.set, "section.key=value, over the file")->take_all();
  serve_verb->add_option("--log-format", log_format, "json or text")
      ->check(CLI::IsMember({"json", "text"}));

  std::string check_file;
  CLI::App* check_verb = app.add_subcommand("check", "validate a configuration; print it resolved");
  check_verb->add_option("file", check_file, "TOML file")->required();

  app.add_subcommand("load", "feed CSV, TSV, NDJSON or another server's keys to a running server");
  app.add_subcommand("advise", "grade and propose shard keys from rows");
  app.add_subcommand("plan", "what a load needs, with the arithmetic");
  app.add_subcommand("inspect", "read a stopped node's files");
  app.add_subcommand("projection", "list, pause, resume or rebuild a running server's projections");
  app.add_subcommand("shard",
                     "list, split, merge or move a running server's shards, draw their heat");
  app.add_subcommand("bench", "send commands at a fixed rate and say how long they took");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  if (serve_verb->parsed()) {
    serve.text_log = log_format == "text";
    return Serve(serve);
  }
  return cli::Check(check_file, std::cout, std::cerr);
}

}  // namespace
}  // namespace sluice::app

int main(int argc, char** argv) {
  return sluice::app::Main(argc, argv);
}
