#include "app/face.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "ingest/walk.h"
#include "server/config_items.h"

namespace sluice::app {

namespace {

// The fields of SLUICE SHARDS.
void AddHeat(nlohmann::json& shard, const heat::ShardHeat& heat) {
  using Window = heat::ShardHeat::Window;
  const auto number = [](const std::optional<uint64_t>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  const auto add = [&](const std::string& suffix, const Window& window) {
    const heat::Load& load = window.load;
    shard["writes_per_second" + suffix] = std::llround(load.writes);
    shard["reads_per_second" + suffix] = std::llround(load.reads);
    shard["bytes_per_second" + suffix] = std::llround(load.bytes);
    shard["cpu_percent" + suffix] = std::llround(load.cpu_us / 1e4);
    shard["queue_commands" + suffix] = std::llround(load.queued);
    shard["queue_bytes" + suffix] = std::llround(load.queue_bytes);
    shard["p50_us" + suffix] = number(window.p50_us);
    shard["p99_us" + suffix] = number(window.p99_us);
  };
  add("", heat.second);
  add("_1m", heat.minute);
  add("_10m", heat.ten_minutes);
}

nlohmann::json KnownOf(const meter::Gauge& gauge) {
  return gauge.value() < 0 ? nlohmann::json() : nlohmann::json(gauge.value());
}

}  // namespace

void Face::SetPhase(std::string phase) {
  const std::lock_guard lock(mutex_);
  phase_ = std::move(phase);
  replays_ = serving_ = false;
}

void Face::SetRecovering(NodeProcess& node) {
  const std::lock_guard lock(mutex_);
  node_ = &node;
  phase_ = "replaying the log";
  replays_ = true;
}

void Face::SetServing(NodeProcess& node, std::vector<project::Projector*> projections) {
  const std::lock_guard lock(mutex_);
  node_ = &node;
  projections_ = std::move(projections);
  serving_ = true;
}

NodeProcess* Face::Serving() {
  const std::lock_guard lock(mutex_);
  return serving_ ? node_ : nullptr;
}

console::Readiness Face::Ready() {
  const std::lock_guard lock(mutex_);
  if (!serving_) {
    if (!replays_) return {false, phase_};
    const auto [at, to] = node_->progress();
    return {false, fmt::format("{}: at record {} of {}", phase_, at, to)};
  }
  if (node_->committer().failed()) return {false, "the log failed; the process is stopping"};
  if (node_->committer().no_space()) return {false, "the disk of the log is full"};
  if (node_->node().disk_low) return {false, "the disk is nearly full: only deletes are taken"};
  if (const auto trouble = node_->threads().StoreTrouble()) {
    return {false, *trouble == Code::kNoSpace ? "the disk of the store is full"
                                              : "the store takes no more runs; see the log"};
  }
  return {true, {}};
}

Result<std::string> Face::ShardsJson() {
  NodeProcess* process = Serving();
  if (process == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  nlohmann::json shards = nlohmann::json::array();
  const ingest::Node::Layout layout = process->node().layout();
  const route::Router& router = *layout.router;
  const std::map<model::ShardId, heat::ShardHeat> heat = process->heat().Shards();
  for (size_t i = 0; i < router.map().shards().size(); ++i) {
    const model::Shard& shard = router.map().shards()[i];
    const ingest::ScanRequest all = ingest::StretchOf(shard, {}, {});
    shards.push_back({{"shard", shard.id.value},
                      {"keyspace", router.keyspace(shard.keyspace).name},
                      {"begin", Hex(shard.begin)},
                      {"end", Hex(shard.end)},
                      {"region", shard.region},
                      {"owner", shard.owner},
                      {"lane", shard.lane.value},
                      {"epoch", shard.epoch.value},
                      {"records", process->committer().next_seq(shard.lineage).value - 1},
                      {"stored_keys", process->store().ApproximateKeys(all.begin, all.end)},
                      {"stored_bytes", process->store().ApproximateBytes(all.begin, all.end)},
                      {"state", "serving"}});
    const auto known = heat.find(shard.id);
    AddHeat(shards.back(), known == heat.end() ? heat::ShardHeat() : known->second);
  }
  return nlohmann::json{{"epoch", router.map().epoch().value}, {"shards", shards}}.dump();
}

Result<std::string> Face::KeyspacesJson() {
  NodeProcess* process = Serving();
  if (process == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  nlohmann::json keyspaces = nlohmann::json::array();
  const std::shared_ptr<const route::Router> held = process->node().layout().router;
  const route::Router& router = *held;
  for (const model::Keyspace& keyspace : router.keyspaces()) {
    const auto [first, last] = router.map().OfKeyspace(keyspace.id);
    const model::Policy policy = router.policy(keyspace.id);
    const SkewMeters& skew = process->heat().meters(keyspace.id);
    keyspaces.push_back({{"keyspace", keyspace.name},
                         {"key", keyspace.key.text},
                         {"shard", keyspace.shard_spec},
                         {"shards", last - first},
                         {"ack", policy.ack == model::Ack::kMemory ? "memory" : "durable"},
                         {"ttl_ms", policy.ttl_ms},
                         {"append_only", policy.append_only},
                         {"hot_key", policy.folds ? "fold" : "off"},
                         {"skew_percent", KnownOf(skew.skew)},
                         {"hottest_shard", KnownOf(skew.hottest)}});
  }
  return nlohmann::json{{"keyspaces", keyspaces}}.dump();
}

Result<std::string> Face::ProjectionsJson() {
  if (Serving() == nullptr) return Fail(Code::kUnavailable, "the node is not serving yet");
  const auto number = [](const std::optional<uint64_t>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  nlohmann::json projections = nlohmann::json::array();
  for (const project::Projector* one : projections_) {
    const project::Report report = one->report();
    projections.push_back({{"projection", one->name()},
                           {"from", one->source().keyspace.name},
                           {"state", project::StateName(report.state)},
                           {"why", report.why},
                           {"lag_ms", number(report.lag_ms)},
                           {"lag_bytes", number(report.lag_bytes)},
                           {"rows", report.rows},
                           {"rows_per_second", report.rows_per_second},
                           {"batches", report.batches},
                           {"batch_rows", report.batch_rows},
                           {"errors", report.errors},
                           {"copied", report.copied},
                           {"seeded", report.seeded},
                           {"dead", report.dead},
                           {"notes", report.notes}});
  }
  // The texts of sinks may be anything.
  return nlohmann::json{{"projections", projections}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::string> Face::ConfigJson() {
  nlohmann::json settings = nlohmann::json::object();
  for (const server::ConfigItem& item : server::ConfigItems(settings_.Now())) {
    settings[item.name] = item.value;
  }
  return nlohmann::json{{"config", settings}}.dump();
}

}  // namespace sluice::app
