#include "app/projections.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/log_line.h"
#include "config/quantity.h"
#include "project/file_sink.h"
#include "project/pg_sink.h"

namespace sluice::app {
namespace {

constexpr std::chrono::milliseconds kWaitLook{2};     // whether what SLUICE WAIT waits for is there
constexpr std::chrono::milliseconds kBoundLook{100};  // how much the log keeps
constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

project::Source SourceOf(NodeProcess& node, const model::Keyspace& keyspace) {
  project::Source source{
      node.log(),
      node.store(),
      keyspace,
      {},
      [&node](model::Lineage lineage) { return node.committer().next_seq(lineage); },
      [&node] { return node.committer().appended(); },
      [&node, id = keyspace.id](std::string_view key, std::string* token) {
        const auto placed = node.node().layout().router->Place(key, token);
        return placed.has_value() && placed->keyspace->id == id;
      }};
  source.shards = [&node, id = keyspace.id] { return node.shard_book().Of(id); };
  return source;
}

Result<std::unique_ptr<project::Sink>> SinkOf(const config::ProjectionConfig& config,
                                              const model::Keyspace& keyspace, NodeProcess& node) {
  if (config.sink == config::ProjectionSink::kFiles) {
    return std::unique_ptr<project::Sink>(
        std::make_unique<project::FileSink>(node.env().files, config.dir, config.name));
  }
  project::PgSinkOptions options;
  options.name = config.name;
  options.url = config.to;
  options.table = config.table;
  options.columns = config.columns;
  options.key = config.key;
  options.segments = keyspace.key.segments;
  options.mode = config.sets;
  options.adopt = config.adopts;
  options.on_expire = config.expires;
  options.connections = config.connections;
  options.create = config.create;
  auto made = project::PgSink::Make(std::move(options), node.env().clock);
  if (!made.has_value()) return Fail(made.error().In("projection." + config.name));
  return std::unique_ptr<project::Sink>(*std::move(made));
}

}  // namespace

Projections::Readings::Readings(const project::Projector& projector) {
  using meter::Kind;
  const auto add = [&](std::string_view name, std::string_view help,
                       double (*read)(const project::Report&), meter::Options options = {}) {
    all.emplace_back(
        *this, Kind::kGauge, name, help, [&projector, read] { return read(projector.report()); },
        options);
  };
  add("sluice_project_lag_seconds",
      "Age of the oldest write that is not in the sink; NaN while that is not known.",
      [](const project::Report& report) {
        return report.lag_ms ? static_cast<double>(*report.lag_ms) * 1e3 : std::nan("");
      },
      {.unit = meter::Unit::kMicroseconds});
  add("sluice_project_lag_bytes",
      "About how much of the log is not in the sink; NaN while that is not known.",
      [](const project::Report& report) {
        return report.lag_bytes ? static_cast<double>(*report.lag_bytes) : std::nan("");
      },
      {.unit = meter::Unit::kBytes});
  add("sluice_project_dead_letters", "Changes that the sink refused, and that are kept.",
      [](const project::Report& report) { return static_cast<double>(report.dead); });
  add("sluice_project_rows_per_second", "Rows written to the sink, over the last seconds.",
      [](const project::Report& report) { return static_cast<double>(report.rows_per_second); });
  add("sluice_project_batch_rows_most", "Rows that a batch may have now.",
      [](const project::Report& report) { return static_cast<double>(report.batch_rows); });
  add("sluice_project_state",
      "0 waiting for the sink, 1 copying the state, 2 running, 3 paused, 4 BROKEN, 5 seeding.",
      [](const project::Report& report) { return static_cast<double>(report.state); });
}

Result<std::unique_ptr<Projections>> Projections::Open(const config::Config& config,
                                                       NodeProcess& node) {
  std::unique_ptr<Projections> projections(new Projections(config.log, node));
  if (!config.projections.empty()) SLUICE_TRY(projections->seeded_.Read());
  for (const config::ProjectionConfig& one : config.projections) {
    SLUICE_TRY(projections->Add(one));
  }
  if (projections->ones_.empty()) return projections;
  SLUICE_ASSIGN(const Names paused, projections->paused_file_.Read());
  for (project::Projector* one : projections->all_) {
    if (!paused.contains(one->name())) continue;
    one->Pause();
    projections->paused_.insert(one->name());
    LogWarning("project", "a projection was paused before the start, and stays so",
               {{"projection", one->name()}, {"what_to_do", "SLUICE PROJECTION RESUME"}});
  }
  return projections;
}

Projections::~Projections() {
  Stop();
}

// What the log has beside that which the store lacks, but for a segment that is not trimmed yet and
// the one that is written, was kept for projections by processes before this one.
model::Lsn Projections::HeldAtStart() const {
  const log::FileLog& log = node_.log();
  const model::Lsn before(log.first().value - 1);
  const uint64_t all = log.bytes_after(before);
  const uint64_t stores = log.bytes_after(model::Lsn(node_.replayed().from.value - 1));
  return all - stores > 2 * log_.segment_bytes ? before : model::Lsn(log.next().value - 1);
}

Status Projections::Add(const config::ProjectionConfig& config) {
  const model::Keyspace& keyspace = *node_.node().router->FindKeyspace(config.from);
  One one;
  SLUICE_ASSIGN(one.sink, SinkOf(config, keyspace, node_));
  const project::Pace pace{config.batch.rows, config.batch.every_us, config.rows_per_second};
  project::Source source = SourceOf(node_, keyspace);
  source.held = HeldAtStart();
  if (config.adopts == config::ProjectionAdopt::kSeed) {
    one.seed = std::make_unique<SeedRoad>(node_, keyspace.id, config.name, seeded_);
    source.seed = one.seed.get();
  }
  one.projector = std::make_unique<project::Projector>(config.name, std::move(source), *one.sink,
                                                       node_.env().clock, pace,
                                                       config.sets == config::ProjectionMode::kAdd);
  one.readings = std::make_unique<Readings>(*one.projector);
  one.blocks = config.when_full == config::ProjectionOnFull::kBlock;
  all_.push_back(one.projector.get());
  ones_.push_back(std::move(one));
  return Ok();
}

Status Projections::Start() {
  if (ones_.empty()) return Ok();
  SLUICE_ASSIGN(const uint64_t free, node_.FreeLogBytes());
  keep_bytes_ = log_.keep_percent == 0 ? log_.keep_bytes
                                       : (free + node_.log().bytes()) / 100 * log_.keep_percent;
  for (One& one : ones_) {
    one.thread = std::thread([this, projector = one.projector.get()] {
      NameThread("project");
      Run(*projector);
    });
  }
  watch_ = std::thread([this] {
    NameThread("watch");
    Watch();
  });
  return Ok();
}

void Projections::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  stop_.notify_all();
  waits_.notify_all();
  for (One& one : ones_) {
    one.sink->Cancel();
    if (one.thread.joinable()) one.thread.join();
  }
  if (watch_.joinable()) watch_.join();
}

void Projections::Run(project::Projector& projector) {
  env::Clock& clock = node_.env().clock;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const uint64_t began = clock.MonotonicUs();
    uint64_t next = projector.Step();
    const uint64_t now = clock.MonotonicUs();
    next = std::max(next, now + node_.node().budget.Rest(now - began));
    lock.lock();
    if (next > now) {
      stop_.wait_for(lock, std::chrono::microseconds(next - now), [this] { return stopping_; });
    }
  }
}

model::Lsn Projections::needs() const {
  model::Lsn least(kForever);
  for (const project::Projector* one : all_) least = std::min(least, one->needs());
  return least;
}

void Projections::AddMeters(meter::Registry& registry) const {
  for (const One& one : ones_) {
    const meter::Labels labels{{"projection", one.projector->name()}};
    registry.Add(one.projector->meters(), labels);
    registry.Add(*one.readings, labels);
  }
}

Status Projections::Wait(const project::Projector& projector, model::Lsn lsn, uint64_t timeout_ms,
                         std::function<void(bool)> then) {
  const uint64_t now_us = node_.env().clock.MonotonicUs();
  const uint64_t most_ms = (kForever - now_us) / 1'000;
  const uint64_t deadline_us =
      timeout_ms == 0 || timeout_ms >= most_ms ? kForever : now_us + timeout_ms * 1'000;
  {
    const std::lock_guard lock(mutex_);
    if (waits_ended_ || waiters_.size() >= server::kProjectionWaitsMax) {
      return Fail(Code::kUnavailable, "too many connections wait for projections");
    }
    waiters_.push_back({&projector, lsn, deadline_us, std::move(then)});
    asked_ = true;
  }
  waits_.notify_all();
  return Ok();
}

Status Projections::SetPaused(project::Projector& projector, bool paused,
                              std::function<void(const Status&)> then) {
  {
    const std::lock_guard lock(mutex_);
    if (waits_ended_ || pauses_.size() >= server::kProjectionOrdersMax) {
      return Fail(Code::kUnavailable, "too many such orders wait; ask again");
    }
    // In the order in which they are kept.
    paused ? projector.Pause() : projector.Resume();
    pauses_.push_back({&projector, paused, std::move(then)});
    asked_ = true;
  }
  waits_.notify_all();
  return Ok();
}

void Projections::KeepPauses() {
  std::vector<PauseOrder> orders;
  {
    const std::lock_guard lock(mutex_);
    orders.swap(pauses_);
  }
  if (orders.empty()) return;
  for (const PauseOrder& order : orders) {
    const std::string& name = order.projector->name();
    order.paused ? static_cast<void>(paused_.insert(name)) : static_cast<void>(paused_.erase(name));
  }
  const Status kept = paused_file_.Write(paused_);
  for (const PauseOrder& order : orders) order.then(kept);
}

void Projections::EndWaits() {
  for (project::Projector* one : all_) one->EndOrders();
  const std::lock_guard lock(mutex_);
  waits_ended_ = true;
}

// Answers those who wait, keeps what is paused, and holds the bound of the log.
void Projections::Watch() {
  env::Clock& clock = node_.env().clock;
  uint64_t look_us = 0;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    waits_.wait_for(lock, waiters_.empty() ? kBoundLook : kWaitLook,
                    [this] { return stopping_ || asked_; });
    if (stopping_) return;
    asked_ = false;
    lock.unlock();
    KeepPauses();
    const uint64_t now_us = clock.MonotonicUs();
    if (now_us >= look_us) {
      BoundLog();
      look_us = now_us + std::chrono::microseconds(kBoundLook).count();
    }
    AnswerWaiters(now_us);
    lock.lock();
  }
}

void Projections::AnswerWaiters(uint64_t now_us) {
  std::vector<std::pair<std::function<void(bool)>, bool>> answers;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiters_, [&](Waiter& waiter) {
      const bool there = waiter.projector->Has(waiter.lsn);
      if (!there && now_us < waiter.deadline_us && !waits_ended_) return false;
      answers.emplace_back(std::move(waiter.then), there);
      return true;
    });
  }
  for (const auto& [then, there] : answers) then(there);
}

void Projections::BoundLog() {
  bool blocked = false;
  double pressure = 0;
  for (One& one : ones_) {
    const model::Lsn behind = one.projector->behind();
    if (behind == model::Lsn(kForever)) continue;
    const uint64_t bytes = node_.log().bytes_after(behind);
    if (one.blocks) {
      const double share = static_cast<double>(bytes) / static_cast<double>(keep_bytes_);
      pressure = std::max(pressure, admit::kBound * share);
    }
    if (bytes <= keep_bytes_) continue;
    if (one.blocks) {
      blocked = true;
      continue;
    }
    one.projector->GiveUp(fmt::format(
        "the log reached log.keep ({}) before the sink had its writes; rebuild the projection",
        config::FormatSize(keep_bytes_)));
  }
  node_.node().projections_pressure.store(pressure, std::memory_order_relaxed);
  if (node_.node().projections_full.exchange(blocked) == blocked) return;
  LogWarning("project", blocked
                            ? "writes are refused: the log reached log.keep, and a projection is "
                              "not to be given up (on_full = \"block\")"
                            : "writes are taken again: the projection has caught up");
}

}  // namespace sluice::app
