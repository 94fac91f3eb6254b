#include "cli/projection.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/listing.h"
#include "cli/reply_line.h"
#include "env/linux/clock.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;
constexpr int kConnectMs = 5'000;
constexpr int kReplyMs = 60'000;
constexpr int kVerifyMs = 24 * 3'600'000;  // to look at a whole table

struct Said {
  Address address;
  std::string url, name;
  std::vector<uint64_t> ids;
  bool replay = false, purge = false, all = false, json = false;
};

class Verbs {
 public:
  explicit Verbs(const Said& said) : said_(said) {}

  int Run(const std::vector<std::string>& words, int timeout_ms = kReplyMs) {
    auto client = Client::Connect(said_.address, clock_, kConnectMs);
    if (!client.has_value()) return Complain(client.error().message);
    const auto hello = (*client)->Call({"HELLO", "3"}, kReplyMs);
    if (!hello.has_value()) return Complain(hello.error().message);
    const std::vector<std::string_view> views(words.begin(), words.end());
    const auto reply = (*client)->Call(views, timeout_ms);
    if (!reply.has_value()) return Complain(reply.error().message);
    if (reply->is_error()) return Complain(reply->text);
    Listing listing(std::cout, said_.json);
    if (reply->type == resp::Value::Type::kArray) {
      for (const resp::Value& item : reply->items) listing.Put(LineOf(item));
    } else if (reply->type == resp::Value::Type::kMap) {
      return Judge(LineOf(*reply), listing);
    } else if (reply->type == resp::Value::Type::kInt) {
      listing.Put({{"letters", reply->number}});
    }
    return kDone;
  }

 private:
  // The rows that differ, and then how many there are.
  static int Judge(Listing::Line verdict, Listing& listing) {
    const Listing::Line differences = verdict["differences"];
    verdict.erase("differences");
    for (const auto& [key, what] : differences.items()) listing.Put({{"row", key}, {"what", what}});
    listing.Put(verdict);
    return verdict["differing"] == 0 ? kDone : kFailed;
  }

  int Complain(const std::string& message) const {
    fmt::print(stderr, "sluice projection: {}\n", message);
    return kFailed;
  }

  const Said& said_;
  env::LinuxClock clock_;
};

std::vector<std::string> DeadWords(const Said& said) {
  std::vector<std::string> words = {"SLUICE", "DEAD", said.name};
  if (said.replay) words.emplace_back("REPLAY");
  if (said.purge) words.emplace_back("PURGE");
  for (const uint64_t id : said.ids) words.push_back(std::to_string(id));
  return words;
}

}  // namespace

int ProjectionMain(int argc, const char* const* argv) {
  Said said;
  CLI::App app("The projections of a running node.", "sluice projection");
  app.require_subcommand(1);
  CLI::App* ls = app.add_subcommand("ls", "state, lag and rates of each");
  CLI::App* pause = app.add_subcommand("pause", "writes nothing more to its sink");
  CLI::App* resume = app.add_subcommand("resume", "goes on, also after what made it BROKEN");
  CLI::App* rebuild = app.add_subcommand("rebuild", "empties its sink and copies the state again");
  CLI::App* verify = app.add_subcommand("verify", "compares its sink with the state");
  CLI::App* dead = app.add_subcommand("dead", "what its sink refused");
  for (CLI::App* verb : {pause, resume, rebuild, verify, dead}) {
    verb->add_option("NAME", said.name, "the projection")->required();
  }
  dead->add_option("ID", said.ids, "letters, with --replay or --purge");
  CLI::Option* replay = dead->add_flag("--replay", said.replay, "tries letters again");
  dead->add_flag("--purge", said.purge, "forgets letters")->excludes(replay);
  dead->add_flag("--all", said.all, "all letters instead of some");
  for (CLI::App* verb : {ls, pause, resume, rebuild, verify, dead}) {
    verb->add_option("--host", said.address.host, "where the server is")->capture_default_str();
    verb->add_option("--port", said.address.port, "its port")->capture_default_str();
    verb->add_option("--url", said.url, "or both as redis://user:password@host:port");
    verb->add_flag("--json", said.json, "one JSON object a line");
  }
  app.footer("Exit status: 0 done, 1 failed, 2 wrong usage.");
  try {
    app.parse(argc, argv);
    const bool orders = said.replay || said.purge;
    if (orders != (said.all || !said.ids.empty()) || (said.all && !said.ids.empty())) {
      throw CLI::ValidationError("--replay and --purge", "take letters' ids, or --all");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (!said.url.empty()) {
    Result<Address> address = ParseUrl(said.url);
    if (!address.has_value()) {
      fmt::print(stderr, "sluice projection: {}\n", address.error().message);
      return kWrongUsage;
    }
    said.address = std::move(*address);
  }
  Verbs verbs(said);
  if (ls->parsed()) return verbs.Run({"SLUICE", "PROJECTIONS"});
  if (pause->parsed()) return verbs.Run({"SLUICE", "PROJECTION", "PAUSE", said.name});
  if (resume->parsed()) return verbs.Run({"SLUICE", "PROJECTION", "RESUME", said.name});
  if (rebuild->parsed()) return verbs.Run({"SLUICE", "PROJECTION", "REBUILD", said.name});
  if (verify->parsed()) return verbs.Run({"SLUICE", "PROJECTION", "VERIFY", said.name}, kVerifyMs);
  return verbs.Run(DeadWords(said));
}

}  // namespace sluice::cli
