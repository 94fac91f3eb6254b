#include "cli/inspect.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "cli/inspect_log.h"
#include "cli/inspect_record.h"
#include "cli/inspect_store.h"
#include "env/linux/file_system.h"

namespace sluice::cli {
namespace {

constexpr int kWrongUsage = 2;

// The log's own directory may be given, or the data directory around it.
std::string LogIn(env::FileSystem& files, const std::string& dir) {
  const auto inner = files.Exists(dir + "/log");
  return inner.has_value() && *inner ? dir + "/log" : dir;
}

}  // namespace

int InspectMain(int argc, const char* const* argv) {
  CLI::App app("Reads a stopped node's files and changes nothing.", "sluice inspect");
  app.require_subcommand(1);
  std::string dir;
  bool json = false;

  InspectLogOptions log_options;
  CLI::App* log = app.add_subcommand("log", "the log's segments and groups");
  log->add_option("DIR", dir, "the data directory, or its log")->required();
  log->add_flag("--records", log_options.records, "the records of each group, too");

  InspectStoreOptions store_options;
  CLI::App* store = app.add_subcommand("store", "tables, positions, rows by keyspace and kind");
  store->add_option("DIR", dir, "the data directory")->required();
  store->add_option("--keys", store_options.keys, "lists the keys that begin with PREFIX")
      ->type_name("PREFIX");
  store->add_option("--key", store_options.key, "shows all rows of KEY")->type_name("KEY");
  store->add_flag("--verify", store_options.verify, "reads every block and checks its checksum");

  uint64_t lsn = 0;
  CLI::App* record = app.add_subcommand("record", "one record of the log and its effects");
  record->add_option("DIR", dir, "the data directory")->required();
  record->add_option("LSN", lsn, "its place in the log")->required()->check(CLI::PositiveNumber);

  for (CLI::App* verb : {log, store, record}) {
    verb->add_flag("--json", json, "one JSON object a line");
  }
  app.footer("Exit status: 0 done, 1 it cannot be read, 2 wrong usage, 3 damaged data.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  env::LinuxFileSystem files;
  if (log->parsed()) {
    log_options.json = json;
    return InspectLog(files, LogIn(files, dir), log_options, std::cout);
  }
  if (record->parsed()) return InspectRecord(files, dir, model::Lsn(lsn), json, std::cout);
  store_options.json = json;
  return InspectStore(files, dir, store_options, std::cout);
}

}  // namespace sluice::cli
