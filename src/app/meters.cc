#include "app/meters.h"

#include "app/process_use.h"

namespace sluice::app {

Meters::Readings::Readings(NodeProcess& node) {
  using meter::Kind;
  const meter::Options bytes{.unit = meter::Unit::kBytes};
  const meter::Options micros{.unit = meter::Unit::kMicroseconds};
  const auto add = [this](Kind kind, std::string_view name, std::string_view help,
                          meter::ReadFunction read, meter::Options options = {}) {
    all.emplace_back(*this, kind, name, help, std::move(read), options);
  };
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  log::Committer& committer = node.committer();
  add(Kind::kGauge, "sluice_log_durable_lsn", "All records up to this one are durable.",
      [&committer, number] { return number(committer.durable().value); });
  add(
      Kind::kGauge, "sluice_log_pending_bytes", "Bytes handed to the log and not yet durable.",
      [&committer, number] { return number(committer.pending_bytes()); }, bytes);
  add(
      Kind::kGauge, "sluice_log_oldest_waiting_seconds",
      "Age of the oldest record that is not durable: what a crash now loses of ack = memory.",
      [&committer, number] { return number(committer.oldest_waiting_us()); }, micros);
  add(Kind::kGauge, "sluice_log_failed", "1 when the log failed and the process is stopping.",
      [&committer] { return committer.failed() ? 1.0 : 0.0; });
  add(
      Kind::kGauge, "sluice_log_disk_bytes", "Bytes of the log's segments on disk.",
      [&node, number] { return number(node.log().bytes()); }, bytes);
  add(Kind::kGauge, "sluice_log_full", "1 while the disk of the log is full.",
      [&committer] { return committer.no_space() ? 1.0 : 0.0; });
  add(Kind::kCounter, "sluice_admit_forgotten_total",
      "Buckets of clients or segment values that were in debt and had to make room.",
      [&node, number] { return number(node.node().write_limits->forgotten()); });
  store::RocksStore& store = node.store();
  add(Kind::kGauge, "sluice_store_runs", "Runs that compaction has not merged yet.",
      [&store, number] { return number(store.health().level0_files); });
  add(
      Kind::kGauge, "sluice_store_pending_compaction_bytes", "Bytes that compaction is behind.",
      [&store, number] { return number(store.health().pending_compaction_bytes); }, bytes);
  add(
      Kind::kGauge, "sluice_store_table_bytes", "Bytes of tables on disk.",
      [&store, number] { return number(store.health().table_bytes); }, bytes);
  add(
      Kind::kGauge, "sluice_store_cache_bytes", "Memory of the block cache.",
      [&store, number] { return number(store.health().block_cache_bytes); }, bytes);
  add(
      Kind::kCounter, "sluice_store_run_bytes_total", "Bytes of runs written into the store.",
      [&store, number] { return number(store.health().run_bytes_written); }, bytes);
  add(
      Kind::kCounter, "sluice_store_compacted_bytes_total", "Bytes written by compaction.",
      [&store, number] { return number(store.health().compact_bytes_written); }, bytes);
  add(
      Kind::kGauge, "sluice_app_recovery_seconds", "What the last start took to recover.",
      [&node, number] { return number(node.recovery_us()); }, micros);
  add(Kind::kGauge, "sluice_app_recovered_records", "Records that the last start replayed.",
      [&node, number] { return number(node.replayed().applied); });
  add(
      Kind::kGauge, "sluice_app_start_time_seconds",
      "When the node began to serve, in seconds since 1970.",
      [started = number(node.env().clock.WallMs()) * 1e3] { return started; }, micros);
  add(
      Kind::kGauge, "sluice_app_resident_bytes", "Resident memory of the process.",
      [number] { return number(CurrentUse().resident_bytes); }, bytes);
}

Meters::Meters(NodeProcess& node, const std::vector<std::unique_ptr<server::LaneServer>>& lanes,
               const server::Overload& overload, meter::Registry& registry)
    : readings_(node) {
  registry.Add(readings_);
  registry.Add(node.committer().meters());
  registry.Add(node.disk().meters());
  registry.Add(overload.meters());
  node.threads().AddMeters(registry);
  admit::Limits& limits = *node.node().write_limits;
  for (const model::Keyspace& keyspace : node.node().router->keyspaces()) {
    const meter::Labels labels{{"keyspace", keyspace.name}};
    registry.Add(limits.meters(keyspace.id), labels);
    registry.Add(node.heat().meters(keyspace.id), labels);
  }
  for (size_t i = 0; i < node.lanes(); ++i) {
    const meter::Labels labels{{"lane", std::to_string(i)}};
    registry.Add(node.lane(i).meters(), labels);
    registry.Add(node.lane(i).shards().meters(), labels);
    registry.Add(lanes[i]->connections().meters(), labels);
  }
}

}  // namespace sluice::app
