// What HTTP shows of the heat, and of the jobs that follow from it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/face.h"
#include "base/text.h"
#include "cli/listing.h"

namespace sluice::app {
namespace {

constexpr size_t kHotKeysShown = 32;

// Three digits are more than a code says (heat/rate_code.h).
void AppendRates(std::string& to, const std::vector<uint8_t>& codes) {
  to += '[';
  for (size_t i = 0; i < codes.size(); ++i) {
    if (i > 0) to += ',';
    if (const std::optional<double> rate = heat::RateOf(codes[i])) {
      fmt::format_to(std::back_inserter(to), "{:.3g}", *rate);
    } else {
      to += "null";
    }
  }
  to += ']';
}

// By hand, because it is large: a number for each bucket and step.
std::string TextOf(const std::string& keyspace, const heat::Resolution& resolution,
                   const heat::Picture& picture) {
  nlohmann::json head{{"keyspace", keyspace},
                      {"resolution", resolution.name},
                      {"from", picture.from_s},
                      {"step_s", picture.step_s},
                      {"steps", picture.steps}};
  for (const std::string& begin : picture.begins) head["begins"].push_back(Hex(begin));
  std::string text = head.dump();
  text.back() = ',';
  text += "\"writes_per_second\":[";
  for (size_t i = 0; i < picture.codes.size(); ++i) {
    if (i > 0) text += ',';
    AppendRates(text, picture.codes[i]);
  }
  return text + "]}";
}

// The finest that reaches back so far.
const heat::Resolution* Choose(const console::HeatmapQuery& query, uint64_t now_s) {
  for (const heat::Resolution& resolution : heat::kResolutions) {
    if (!query.resolution.empty() && query.resolution != resolution.name) continue;
    const bool last = &resolution == &heat::kResolutions.back();
    const bool reaches =
        query.from_s.value_or(now_s) + resolution.seconds * resolution.steps >= now_s;
    if (!query.resolution.empty() || reaches || last) return &resolution;
  }
  return nullptr;
}

}  // namespace

Result<std::string> Face::HeatmapJson(const console::HeatmapQuery& query) {
  NodeProcess* process = Serving();
  if (process == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  if (query.keyspace.empty()) return Fail(Code::kInvalid, "keyspace=NAME says of which");
  const std::shared_ptr<const route::Router> router = process->node().layout().router;
  const model::Keyspace* keyspace = router->FindKeyspace(query.keyspace);
  if (keyspace == nullptr) {
    return Fail(Code::kNotFound, fmt::format("there is no keyspace '{}'", query.keyspace));
  }
  const heat::Resolution* resolution = Choose(query, process->env().clock.WallMs() / 1'000);
  if (resolution == nullptr) return Fail(Code::kInvalid, "resolution takes 1m, 10m or 1h");
  const uint64_t buckets = query.buckets.value_or(heat::kBuckets);
  if (buckets == 0) return Fail(Code::kInvalid, "buckets takes 1 or more");
  const std::optional<heat::Picture> picture = process->heat().Show(
      keyspace->id, static_cast<size_t>(resolution - heat::kResolutions.data()),
      query.from_s.value_or(0), query.to_s.value_or(~uint64_t{0}), buckets);
  const heat::Picture nothing{0, resolution->seconds, 0, {std::string()}, {{}}};
  return TextOf(keyspace->name, *resolution, picture.value_or(nothing));
}

Result<std::string> Face::HotKeysJson() {
  NodeProcess* process = Serving();
  if (process == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  const std::shared_ptr<const route::Router> held = process->node().layout().router;
  const route::Router& router = *held;
  nlohmann::json keys = nlohmann::json::array();
  for (const ingest::HeatReport::Key& key : process->heat().HotKeys()) {
    if (keys.size() == kHotKeysShown || key.hot.per_second < 1) break;
    keys.push_back({{"key", cli::Shown(key.hot.key)},
                    {"keyspace", router.keyspace(key.hot.keyspace).name},
                    {"shard", key.shard.value},
                    {"writes_per_second", std::llround(key.hot.per_second)},
                    {"error", std::llround(key.hot.error)},
                    {"percent_of_shard", std::lround(100 * key.hot.share)},
                    {"action", router.policy(key.hot.keyspace).folds ? "fold" : "none"}});
  }
  return nlohmann::json{{"hotkeys", keys}}.dump();
}

Result<std::string> Face::JobsJson() {
  NodeProcess* process = Serving();
  if (process == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  const auto numbers = [](const std::vector<model::ShardId>& shards) {
    nlohmann::json list = nlohmann::json::array();
    for (const model::ShardId shard : shards) list.push_back(shard.value);
    return list;
  };
  nlohmann::json jobs = nlohmann::json::array();
  for (const rebalance::JobReport& job : process->jobs().List()) {
    std::vector<model::ShardId> shards = {job.order.shard};
    if (job.order.kind == rebalance::JobKind::kMerge) shards.push_back(job.order.with);
    nlohmann::json to, eta_ms, took_ms;
    if (job.order.kind == rebalance::JobKind::kMove) to = job.order.to.value;
    if (job.eta_ms) eta_ms = *job.eta_ms;
    if (job.ended()) took_ms = job.ended_ms - job.asked_ms;
    jobs.push_back({{"job", job.id},
                    {"kind", rebalance::NameOf(job.order.kind)},
                    {"shards", numbers(shards)},
                    {"to", to},
                    {"cut", Hex(job.order.at_token.value_or(""))},
                    {"state", rebalance::NameOf(job.state)},
                    {"phase", rebalance::NameOf(job.phase)},
                    {"percent", job.percent},
                    {"eta_ms", eta_ms},
                    {"waits_for", job.waits_for},
                    {"error", job.error},
                    {"verification", job.verification},
                    {"made", numbers(job.made)},
                    {"reason", job.order.reason},
                    {"took_ms", took_ms}});
  }
  // A reason may quote what a client said.
  return nlohmann::json{{"jobs", jobs}}.dump(-1, ' ', false,
                                             nlohmann::json::error_handler_t::replace);
}

Result<std::string> Face::SamplesJson() {
  NodeProcess* process = Serving();
  if (process == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  const HeatWatch::Sampled sampled = process->heat().LastSampled();
  const std::shared_ptr<const route::Router> router = process->node().layout().router;
  nlohmann::json keyspaces = nlohmann::json::array();
  for (const auto& [id, keys] : sampled.keys) {
    const model::Keyspace& keyspace = router->keyspace(id);
    nlohmann::json shown = nlohmann::json::array();
    for (const std::string& key : keys) shown.push_back(cli::Shown(key));
    keyspaces.push_back(
        {{"keyspace", keyspace.name}, {"key", keyspace.key.text}, {"samples", std::move(shown)}});
  }
  return nlohmann::json{{"second", sampled.second}, {"keyspaces", std::move(keyspaces)}}.dump();
}

}  // namespace sluice::app
