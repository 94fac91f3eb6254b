#include "cli/shard.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/heat_chart.h"
#include "cli/http_get.h"
#include "cli/listing.h"
#include "cli/reply_line.h"
#include "cli/shard_jobs.h"
#include "cli/shard_list.h"
#include "env/linux/clock.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;
constexpr std::array<std::string_view, 2> kLater = {"reshard", "undo"};
constexpr int kConnectMs = 5'000;
constexpr int kReplyMs = 60'000;

struct Said {
  Address address;
  uint16_t http_port = kHttpPort;
  std::string url, keyspace, resolution, svg, at;
  uint32_t shard = 0;  // of a split or a move
  std::vector<uint32_t> shards;
  uint32_t lane = 0;
  uint64_t job = 0;
  bool json = false, wait = false;
};

using Json = nlohmann::ordered_json;

class Verbs {
 public:
  explicit Verbs(const Said& said) : said_(said), http_(said.address) {
    http_.port = said.http_port;
  }

  int List() {
    const auto client = Connect();
    if (!client.has_value()) return Complain(client.error().message);
    std::vector<std::string_view> words = {"SLUICE", "SHARDS"};
    if (!said_.keyspace.empty()) words.push_back(said_.keyspace);
    const auto reply = (*client)->Call(words, kReplyMs);
    if (!reply.has_value()) return Complain(reply.error().message);
    if (reply->is_error()) return Complain(reply->text);
    std::vector<Json> shards;
    for (const resp::Value& shard : reply->items) shards.push_back(LineOf(shard));
    if (!said_.json) {
      PrintShards(shards, std::cout);
      return kDone;
    }
    Listing listing(std::cout, said_.json);
    for (const Json& shard : shards) listing.Put(shard);
    return kDone;
  }

  int Heat() {
    const Result<std::vector<Json>> maps = Maps();
    if (!maps.has_value()) return Complain(maps.error().message);
    if (said_.json) {
      Listing listing(std::cout, said_.json);
      for (const Json& map : *maps) listing.Put(map);
    }
    if (said_.svg.empty()) return kDone;
    const Result<Json> shards = Get("/api/v1/shards");
    if (!shards.has_value()) return Complain(shards.error().message);
    std::vector<HeatPanel> panels;
    for (const Json& map : *maps) panels.push_back(PanelOf(map, (*shards)["shards"]));
    std::ofstream file(said_.svg, std::ios::binary);
    file << HeatSvg(panels) << std::flush;
    if (!file) return Complain(fmt::format("{} cannot be written", said_.svg));
    if (!said_.json) {
      fmt::print("{}: the heat of {} keyspace{}\n", said_.svg, panels.size(),
                 panels.size() == 1 ? "" : "s");
    }
    return kDone;
  }

  template <class Do>
  int WithJobs(Do run) {
    const auto client = Connect();
    if (!client.has_value()) return Complain(client.error().message);
    return run(ShardJobs(**client, said_.json));
  }

 private:
  Result<std::unique_ptr<Client>> Connect() {
    SLUICE_ASSIGN(auto client, Client::Connect(said_.address, clock_, kConnectMs));
    SLUICE_TRY(client->Call({"HELLO", "3"}, kReplyMs));
    return client;
  }

  Result<Json> Get(const std::string& target) {
    SLUICE_ASSIGN(const std::string body, HttpGet(http_, target, clock_, kReplyMs));
    Json parsed = Json::parse(body, nullptr, false);
    if (!parsed.is_object()) {
      return Fail(Code::kIo, fmt::format("{} answers no JSON", http_.text()));
    }
    return parsed;
  }

  Result<Json> Map(const std::string& keyspace) {
    std::string target = "/api/v1/heatmap?keyspace=" + Escaped(keyspace);
    if (!said_.resolution.empty()) target += "&resolution=" + said_.resolution;
    return Get(target);
  }

  // Of the keyspace that was named, or of each that was ever written to.
  Result<std::vector<Json>> Maps() {
    std::vector<Json> maps;
    if (!said_.keyspace.empty()) {
      SLUICE_ASSIGN(maps.emplace_back(), Map(said_.keyspace));
      return maps;
    }
    SLUICE_ASSIGN(const Json keyspaces, Get("/api/v1/keyspaces"));
    for (const Json& keyspace : keyspaces["keyspaces"]) {
      SLUICE_ASSIGN(Json map, Map(keyspace["keyspace"].get<std::string>()));
      if (map["steps"].get<uint64_t>() > 0) maps.push_back(std::move(map));
    }
    return maps;
  }

  static std::string Escaped(const std::string& text) {
    std::string escaped;
    for (const char c : text) escaped += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    return escaped;
  }

  static HeatPanel PanelOf(const Json& map, const Json& shards) {
    HeatPanel panel;
    panel.keyspace = map["keyspace"].get<std::string>();
    panel.from_s = map["from"].get<uint64_t>();
    panel.step_s = map["step_s"].get<uint64_t>();
    for (const Json& row : map["writes_per_second"]) {
      auto& rates = panel.writes.emplace_back();
      for (const Json& rate : row) {
        rates.push_back(rate.is_null() ? std::nullopt : std::optional(rate.get<double>()));
      }
    }
    SkipUnknown(panel);
    const auto begins = map["begins"].get<std::vector<std::string>>();
    for (const Json& shard : shards) {
      if (shard["keyspace"] != panel.keyspace) continue;
      const auto behind =
          std::upper_bound(begins.begin(), begins.end(), shard["begin"].get<std::string>());
      panel.shards.emplace_back(shard["shard"].dump(), behind - begins.begin() - 1);
    }
    return panel;
  }

  // The time before anything is known, so that a young node's map fills the drawing.
  static void SkipUnknown(HeatPanel& panel) {
    constexpr size_t kStepsLeast = 30;
    size_t skip = panel.writes[0].size();
    for (const auto& row : panel.writes) {
      const auto known =
          std::find_if(row.begin(), row.end(), [](const auto& rate) { return !!rate; });
      skip = std::min(skip, static_cast<size_t>(known - row.begin()));
    }
    skip = std::min(skip, panel.writes[0].size() - std::min(kStepsLeast, panel.writes[0].size()));
    panel.from_s += skip * panel.step_s;
    for (auto& row : panel.writes) {
      row.erase(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(skip));
    }
  }

  int Complain(const std::string& message) const {
    fmt::print(stderr, "sluice shard: {}\n", message);
    return kFailed;
  }

  const Said& said_;
  Address http_;
  env::LinuxClock clock_;
};

// The verbs that start a job, as commands of the node.
std::vector<std::string> StartWords(const Said& said, const std::string& verb) {
  std::vector<std::string> words = {"SLUICE", verb};
  if (said.shards.empty()) words.push_back(std::to_string(said.shard));
  for (const uint32_t shard : said.shards) words.push_back(std::to_string(shard));
  if (verb == "MOVE") words.push_back(std::to_string(said.lane));
  if (!said.at.empty()) words.insert(words.end(), {"AT", said.at});
  return words;
}

struct Parser {
  explicit Parser(Said& said_) : said(said_) {
    app.require_subcommand(1);
    heat->add_option("--svg", said.svg, "writes the drawing there");
    heat->add_option("--resolution", said.resolution, "1m of 6 hours, 10m of 4 days, 1h of 4 weeks")
        ->check(CLI::IsMember({"1m", "10m", "1h"}));
    heat->add_option("--http-port", said.http_port, "the node's HTTP port")->capture_default_str();
    for (CLI::App* verb : {ls, heat}) verb->add_option("KEYSPACE", said.keyspace, "only this one");
    split->add_option("SHARD", said.shard, "its id")->required();
    split->add_option("--at", said.at,
                      "the first key of the upper part; else where the load halves");
    merge->add_option("SHARD", said.shards, "two neighbours")->required()->expected(2);
    move->add_option("SHARD", said.shard, "its id")->required();
    move->add_option("LANE", said.lane, "its new owner")->required();
    for (CLI::App* verb : {split, merge, move}) {
      verb->add_flag("--wait", said.wait, "until the job has ended; then the status is its own");
    }
    for (CLI::App* verb : {pause, resume, abort}) {
      verb->add_option("JOB", said.job, "its id")->required();
    }
    for (CLI::App* verb : {ls, heat, split, merge, move, jobs, pause, resume, abort}) {
      verb->add_option("--host", said.address.host, "where the server is")->capture_default_str();
      verb->add_option("--port", said.address.port, "its port")->capture_default_str();
      verb->add_option("--url", said.url, "or both as redis://user:password@host:port");
      verb->add_flag("--json", said.json, "one JSON object a line");
    }
    app.footer("Exit status: 0 done, 1 failed, 2 wrong usage.");
  }

  Said& said;
  CLI::App app{"The shards of a running node.", "sluice shard"};
  CLI::App* ls = app.add_subcommand("ls", "where they are, what they hold and how hot they are");
  CLI::App* heat = app.add_subcommand("heat", "how hot each stretch of tokens was, drawn");
  CLI::App* split = app.add_subcommand("split", "makes two of one");
  CLI::App* merge = app.add_subcommand("merge", "makes one of two neighbours");
  CLI::App* move = app.add_subcommand("move", "gives one to another lane");
  CLI::App* jobs = app.add_subcommand("jobs", "what changes shards, or did");
  CLI::App* pause = app.add_subcommand("pause", "a job does no further step");
  CLI::App* resume = app.add_subcommand("resume", "goes on with it");
  CLI::App* abort = app.add_subcommand("abort", "ends it, and nothing was");
};

int Run(Verbs& verbs, const Said& said, const Parser& parser) {
  if (parser.ls->parsed()) return verbs.List();
  if (parser.heat->parsed()) return verbs.Heat();
  return verbs.WithJobs([&](ShardJobs jobs) {
    for (const auto& [verb, word] :
         {std::pair(parser.split, "SPLIT"), {parser.merge, "MERGE"}, {parser.move, "MOVE"}}) {
      if (verb->parsed()) return jobs.Start(StartWords(said, word), said.wait);
    }
    for (const auto& [verb, word] :
         {std::pair(parser.pause, "PAUSE"), {parser.resume, "RESUME"}, {parser.abort, "ABORT"}}) {
      if (verb->parsed()) return jobs.Order(word, said.job);
    }
    return jobs.List();
  });
}

}  // namespace

int ShardMain(int argc, const char* const* argv) {
  if (argc > 1 && std::find(kLater.begin(), kLater.end(), argv[1]) != kLater.end()) {
    fmt::print(stderr, "sluice shard {}: not available yet in this version\n", argv[1]);
    return kWrongUsage;
  }
  Said said;
  Parser parser(said);
  try {
    parser.app.parse(argc, argv);
    if (parser.heat->parsed() && said.svg.empty() && !said.json) {
      throw CLI::ValidationError("heat", "takes --svg FILE, --json or both");
    }
  } catch (const CLI::ParseError& error) {
    return parser.app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (!said.url.empty()) {
    Result<Address> address = ParseUrl(said.url);
    if (!address.has_value()) {
      fmt::print(stderr, "sluice shard: {}\n", address.error().message);
      return kWrongUsage;
    }
    said.address = std::move(*address);
  }
  Verbs verbs(said);
  return Run(verbs, said, parser);
}

}  // namespace sluice::cli
