#include "cli/plan.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "cli/plan_live.h"
#include "cli/plan_report.h"
#include "env/linux/clock.h"
#include "plan/shard_key.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;
constexpr unsigned kSecondsMost = 3'600;
constexpr size_t kWhatIfMost = 16;

constexpr std::string_view kBuiltIn =
    "Figures that were not given are those of bench/results/latest.md: 637k SET/s a lane (S1), "
    "0.312 ms a sync (p99, S2), 125 bytes of log (S8), 3.31 bytes written for each (S5), on two "
    "cores shared with the generator. Measure yours: --live.";

struct Said {
  std::map<std::string, std::string> values;  // as they were written
  std::vector<std::string> what_if;
  Address address;
  std::string url, svg;
  uint16_t http_port = 7380;
  unsigned seconds = 10;
  std::string p99;
  bool live = false, json = false;
};

void Describe(CLI::App& app, Said& said) {
  for (const PlanSetting& setting : PlanSettings()) {
    app.add_option("--" + std::string(setting.name), said.values[std::string(setting.name)],
                   std::string(setting.help));
  }
  app.add_option("--what-if", said.what_if, "NAME=VALUE,…: the same plan with other numbers")
      ->expected(1)
      ->take_all();
  CLI::Option* live = app.add_flag("--live", said.live, "measure a running node under its load");
  app.add_option("--host", said.address.host, "where it is")->capture_default_str();
  app.add_option("--port", said.address.port, "its port")->capture_default_str();
  app.add_option("--url", said.url, "or both as redis://user:password@host:port");
  app.add_option("--http-port", said.http_port, "of its HTTP face")->capture_default_str();
  app.add_option("--seconds", said.seconds, "to watch it")
      ->needs(live)
      ->check(CLI::Range(1u, kSecondsMost))
      ->capture_default_str();
  app.add_option("--p99", said.p99, "the time within which writes are to be durable, 10ms")
      ->needs(live);
  app.add_flag("--json", said.json, "one JSON object");
  app.add_option("--svg", said.svg, "a file to draw what --writes use of a node into");
  app.footer("Exit status: 0 done, 1 failed, 2 wrong usage.");
}

// The node's curve, and the most that it was seen to take within the p99 that was asked for.
PlanSection CurveOf(const LiveFigures& live, double p99_ms) {
  PlanSection section{"live", "The node as it ran", {}, {}};
  double best = 0;
  for (size_t i = 0; i < live.curve.size(); ++i) {
    const LiveMoment& moment = live.curve[i];
    section.lines.push_back(
        {fmt::format("second_{}", i + 1), moment.writes, fmt::format("second {}", i + 1),
         plan::Thousands(moment.writes) + "/s",
         fmt::format("p99 of the wait to be durable at most {:.3g} ms", moment.p99_ms)});
    if (p99_ms > 0 && moment.p99_ms <= p99_ms) best = std::max(best, moment.writes);
  }
  if (p99_ms > 0) {
    section.lines.push_back({"writes_at_p99", best, "within p99", plan::Thousands(best) + "/s",
                             fmt::format("the most of a second with p99 <= {:.4g} ms", p99_ms)});
  }
  section.notes.push_back(
      "CPU: writes for each second of CPU of the whole process, as if it took "
      "that of one lane; it sends no load itself");
  return section;
}

Status WatchLive(const Said& said, PlanReport* report) {
  PlanInputs limit;
  if (!said.p99.empty()) SLUICE_TRY(limit.Set("window", said.p99));
  env::LinuxClock clock;
  SLUICE_ASSIGN(const LiveFigures live,
                WatchNode(said.address, said.http_port, said.seconds, clock));
  for (const auto& [name, value] : live.settings) {
    if (!report->inputs.Has(name)) SLUICE_TRY(report->inputs.Set(name, fmt::format("{}", value)));
  }
  if (!report->inputs.Has("writes")) {
    SLUICE_TRY(report->inputs.Set("writes", fmt::format("{}", live.writes)));
  }
  report->sections = {CurveOf(live, limit.Get("window", 0))};
  report->source = fmt::format(
      "Figures that were not given are those of {} over {} s; what it "
      "does not count, of bench/results/latest.md.",
      said.address.text(), said.seconds);
  return Ok();
}

Result<PlanReport> Make(const Said& said) {
  PlanReport report;
  report.source = kBuiltIn;
  for (const auto& [name, text] : said.values) {
    if (!text.empty()) SLUICE_TRY(report.inputs.Set(name, text));
  }
  if (said.live) SLUICE_TRY(WatchLive(said, &report));
  std::vector<PlanSection> made = MakePlan(report.inputs);
  if (made.empty()) {
    return Fail(Code::kInvalid,
                "--writes says how much; or --hot-key, --loads, --shard-load, "
                "--window or --keys what else to work out");
  }
  if (!said.svg.empty() && !report.inputs.Has("writes")) {
    return Fail(Code::kInvalid, "--svg draws what of a node the writes use: it needs --writes");
  }
  if (!UsesFigures(report.inputs)) report.source.clear();
  report.sections.insert(report.sections.end(), made.begin(), made.end());
  if (said.what_if.size() > kWhatIfMost) {
    return Fail(Code::kInvalid, fmt::format("more than {} times --what-if", kWhatIfMost));
  }
  for (const std::string& change : said.what_if) {
    PlanInputs changed = report.inputs;
    if (const Status status = changed.Change(change); !status.ok()) {
      return Fail(status.error().In("--what-if"));
    }
    report.what_if.emplace_back(change, MakePlan(changed));
  }
  return report;
}

int Complain(const Error& error) {
  fmt::print(stderr, "sluice plan: {}\n", error.message);
  return error.code == Code::kInvalid ? kWrongUsage : kFailed;
}

}  // namespace

int PlanMain(int argc, const char* const* argv) {
  Said said;
  CLI::App app("What a load needs: shards, nodes, RAM and disk, with the arithmetic.",
               "sluice plan");
  Describe(app, said);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  if (!said.url.empty()) {
    Result<Address> address = ParseUrl(said.url);
    if (!address.has_value()) return Complain(address.error());
    said.address = std::move(*address);
  }
  const Result<PlanReport> report = Make(said);
  if (!report.has_value()) return Complain(report.error());
  fmt::print("{}", said.json ? PlanJson(*report) : PlanText(*report));
  if (!said.svg.empty()) {
    std::ofstream file(said.svg);
    file << PlanSvg(*report);
    file.close();
    if (!file) return Complain({Code::kIo, said.svg + " cannot be written"});
  }
  return kDone;
}

}  // namespace sluice::cli
