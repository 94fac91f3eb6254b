// INFO: the state of the server as text, in the words of Redis where they mean something here. What
// Sluice does not have or does not count is left out.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/text.h"
#include "server/command_totals.h"
#include "server/connections.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

// What the sections are written from.
struct Facts {
  const Context& context;
  const ingest::NodeStats* stats;  // null unless a section that was asked for needs them

  // Sum of a lane's meter over all lanes.
  template <class Meter>
  uint64_t Total(Meter Meters::*meter) const {
    uint64_t total = 0;
    for (Connections* connections : context.connections) {
      total += static_cast<uint64_t>((connections->meters().*meter).value());
    }
    return total;
  }
};

template <class... Values>
void Line(std::string& to, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(to), format, std::forward<Values>(values)...);
  to += "\r\n";
}

std::string Human(uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGT";
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  return unit == 0 ? fmt::format("{}B", bytes) : fmt::format("{:.2f}{}", value, kUnits[unit]);
}

void ServerSection(const Facts& facts, std::string& to) {
  const Identity& who = facts.context.identity;
  const uint64_t now_ms = facts.context.clock.WallMs();
  const uint64_t uptime_s = now_ms > who.started_ms ? (now_ms - who.started_ms) / 1000 : 0;
  Line(to, "redis_version:{}", kRedisVersion);
  Line(to, "redis_git_sha1:{}", who.build);
  Line(to, "redis_git_dirty:0");
  Line(to, "redis_build_id:{}", who.build);
  Line(to, "sluice_version:{}", who.version);
  Line(to, "sluice_build:{}", who.build);
  Line(to, "redis_mode:standalone");
  Line(to, "os:{}", who.os);
  Line(to, "arch_bits:64");
  Line(to, "monotonic_clock:POSIX clock_gettime");
  Line(to, "multiplexing_api:epoll");
  Line(to, "process_id:{}", who.pid);
  Line(to, "process_supervised:no");
  Line(to, "run_id:{}", who.run_id);
  Line(to, "tcp_port:{}", who.port);
  Line(to, "server_time_usec:{}", now_ms * 1000);
  Line(to, "uptime_in_seconds:{}", uptime_s);
  Line(to, "uptime_in_days:{}", uptime_s / 86'400);
  Line(to, "hz:{}", 1000 / ingest::kTickMs);
  Line(to, "configured_hz:{}", 1000 / ingest::kTickMs);
  Line(to, "executable:{}", who.executable);
  Line(to, "config_file:{}", who.config_file);
  Line(to, "io_threads_active:0");
}

void ClientsSection(const Facts& facts, std::string& to) {
  Line(to, "connected_clients:{}", facts.Total(&Meters::connections));
  Line(to, "cluster_connections:0");
  Line(to, "maxclients:{}", facts.context.clients_max.load());
  Line(to, "blocked_clients:0");
  Line(to, "tracking_clients:0");
}

// A number of bytes, and the same for people.
void Bytes(std::string& to, std::string_view name, uint64_t bytes) {
  Line(to, "{}:{}", name, bytes);
  Line(to, "{}_human:{}", name, Human(bytes));
}

void MemorySection(const Facts& facts, std::string& to) {
  const ProcessUse use = facts.context.process();
  const double ratio = static_cast<double>(use.resident_bytes) /
                       static_cast<double>(std::max<uint64_t>(1, use.allocated_bytes));
  Bytes(to, "used_memory", use.allocated_bytes);
  Bytes(to, "used_memory_rss", use.resident_bytes);
  Bytes(to, "used_memory_peak", use.resident_peak_bytes);
  Line(to, "used_memory_peak_perc:{:.2f}%",
       100.0 * static_cast<double>(use.resident_bytes) /
           static_cast<double>(std::max<uint64_t>(1, use.resident_peak_bytes)));
  Line(to, "allocator_allocated:{}", use.allocated_bytes);
  Line(to, "allocator_resident:{}", use.resident_bytes);
  Bytes(to, "total_system_memory", use.machine_bytes);
  Bytes(to, "used_memory_lua", 0);
  Bytes(to, "maxmemory", facts.context.memory_bytes);
  Line(to, "maxmemory_policy:noeviction");
  Line(to, "mem_fragmentation_ratio:{:.2f}", ratio);
  Line(to, "mem_fragmentation_bytes:{}",
       use.resident_bytes - std::min(use.resident_bytes, use.allocated_bytes));
  Line(to, "mem_aof_buffer:{}", facts.context.node.committer->pending_bytes());
  Line(to, "mem_allocator:{}", facts.context.allocator.name);
  Line(to, "active_defrag_running:0");
  Line(to, "lazyfree_pending_objects:0");
}

void PersistenceSection(const Facts& facts, std::string& to) {
  const log::Committer& committer = *facts.context.node.committer;
  Line(to, "loading:0");
  Line(to, "async_loading:0");
  Line(to, "rdb_changes_since_last_save:0");
  Line(to, "rdb_bgsave_in_progress:0");
  Line(to, "rdb_last_save_time:{}", facts.context.clock.WallMs() / 1000);
  Line(to, "rdb_last_bgsave_status:ok");
  Line(to, "rdb_last_bgsave_time_sec:0");
  Line(to, "rdb_current_bgsave_time_sec:-1");
  Line(to, "aof_enabled:1");
  Line(to, "aof_rewrite_in_progress:0");
  Line(to, "aof_rewrite_scheduled:0");
  Line(to, "aof_last_rewrite_time_sec:-1");
  Line(to, "aof_current_rewrite_time_sec:-1");
  Line(to, "aof_last_bgrewrite_status:ok");
  Line(to, "aof_last_write_status:{}", committer.failed() || committer.no_space() ? "err" : "ok");
  Line(to, "aof_pending_bio_fsync:0");
  Line(to, "aof_delayed_fsync:0");
}

void StatsSection(const Facts& facts, std::string& to) {
  uint64_t commands = 0, read = 0, written = 0, errors = 0, expired = 0, hits = 0, misses = 0;
  for (Connections* connections : facts.context.connections) {
    commands += connections->rates().commands.per_second();
    read += connections->rates().read_bytes.per_second();
    written += connections->rates().written_bytes.per_second();
    for (size_t i = 0; i < kErrorWords.size(); ++i) errors += connections->counts().errors(i);
  }
  for (ingest::Lane* lane : facts.context.node.lanes) {
    const shard::Meters& meters = lane->shards().meters();
    expired += meters.expired.value();
    hits += meters.hits.value();
    misses += meters.misses.value();
  }
  Line(to, "total_connections_received:{}", facts.Total(&Meters::opened));
  Line(to, "total_commands_processed:{}", facts.Total(&Meters::commands));
  Line(to, "instantaneous_ops_per_sec:{}", commands);
  Line(to, "total_net_input_bytes:{}", facts.Total(&Meters::read_bytes));
  Line(to, "total_net_output_bytes:{}", facts.Total(&Meters::written_bytes));
  Line(to, "instantaneous_input_kbps:{:.2f}", static_cast<double>(read) / 1024);
  Line(to, "instantaneous_output_kbps:{:.2f}", static_cast<double>(written) / 1024);
  Line(to, "rejected_connections:{}", facts.Total(&Meters::turned_off));
  Line(to, "sync_full:0");
  Line(to, "sync_partial_ok:0");
  Line(to, "sync_partial_err:0");
  Line(to, "expired_keys:{}", expired);
  Line(to, "evicted_keys:0");
  Line(to, "evicted_clients:0");
  Line(to, "keyspace_hits:{}", hits);
  Line(to, "keyspace_misses:{}", misses);
  Line(to, "pubsub_channels:0");
  Line(to, "pubsub_patterns:0");
  Line(to, "latest_fork_usec:0");
  Line(to, "total_forks:0");
  Line(to, "migrate_cached_sockets:0");
  Line(to, "total_error_replies:{}", errors);
  Line(to, "acl_access_denied:{}", facts.Total(&Meters::denied));
  Line(to, "client_output_buffer_limit_disconnections:{}", facts.Total(&Meters::overflows));
}

void ReplicationSection(const Facts& facts, std::string& to) {
  Line(to, "role:master");
  Line(to, "connected_slaves:0");
  Line(to, "master_failover_state:no-failover");
  Line(to, "master_replid:{}", facts.context.identity.run_id);
  Line(to, "master_repl_offset:0");
  Line(to, "repl_backlog_active:0");
  Line(to, "repl_backlog_size:0");
}

void CpuSection(const Facts& facts, std::string& to) {
  const ProcessUse use = facts.context.process();
  Line(to, "used_cpu_sys:{:.6f}", use.system_s);
  Line(to, "used_cpu_user:{:.6f}", use.user_s);
}

void CommandsSection(const Facts& facts, std::string& to) {
  const std::span<const command::Spec> specs = command::AllCommands();
  for (size_t i = 0; i < specs.size(); ++i) {
    const CommandTotals totals = TotalsOf(facts.context, i);
    if (totals.calls + totals.rejected == 0) continue;
    const double each = totals.calls == 0 ? 0.0
                                          : static_cast<double>(totals.microseconds) /
                                                static_cast<double>(totals.calls);
    Line(to, "cmdstat_{}:calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}",
         specs[i].name, totals.calls, totals.microseconds, each, totals.rejected, totals.failed);
  }
}

void ErrorsSection(const Facts& facts, std::string& to) {
  for (size_t i = 0; i < kErrorWords.size(); ++i) {
    uint64_t count = 0;
    for (Connections* connections : facts.context.connections) {
      count += connections->counts().errors(i);
    }
    if (count > 0) Line(to, "errorstat_{}:count={}", kErrorWords[i], count);
  }
}

void LatencySection(const Facts& facts, std::string& to) {
  const std::span<const command::Spec> specs = command::AllCommands();
  for (size_t i = 0; i < specs.size(); ++i) {
    const CommandTotals totals = TotalsOf(facts.context, i);
    if (totals.calls == 0) continue;
    Line(to, "latency_percentiles_usec_{}:p50={}.000,p99={}.000,p99.9={}.000", specs[i].name,
         totals.Quantile(0.5), totals.Quantile(0.99), totals.Quantile(0.999));
  }
}

void ModulesSection(const Facts&, std::string&) {}

void ClusterSection(const Facts&, std::string& to) {
  Line(to, "cluster_enabled:0");
}

void KeyspaceSection(const Facts& facts, std::string& to) {
  const uint64_t keys = facts.stats->keys();
  if (keys > 0) Line(to, "db0:keys={},expires=0,avg_ttl=0", keys);
}

// Who is held back and refused, and by what (server/overload.h).
void Overload(const Facts& facts, std::string& to) {
  const admit::Budget& budget = facts.context.node.budget;
  admit::ByPriority<uint64_t> shed{};
  int64_t waiting = 0;
  for (const Connections* lane : facts.context.connections) {
    for (size_t i = 0; i < admit::kPriorities; ++i) {
      const auto priority = static_cast<model::Priority>(i);
      shed[i] += lane->meters().shed[priority].value();
      waiting += lane->meters().waiting[priority].value();
    }
  }
  Line(to, "writes_held_back:{}", budget.limited() ? 1 : 0);
  Line(to, "overload_cause:{}", budget.limited() ? admit::NameOf(budget.cause()) : "none");
  Line(to, "overload_pressure_percent:{}", static_cast<uint64_t>(budget.pressure() * 100));
  Line(to, "waiting_connections:{}", waiting);
  Line(to, "shed_normal:{}", shed[1]);
  Line(to, "shed_low:{}", shed[2]);
}

void SluiceSection(const Facts& facts, std::string& to) {
  const ingest::Node& node = facts.context.node;
  const log::Committer& committer = *node.committer;
  uint64_t bytes = 0;
  for (const ingest::ShardStat& shard : facts.stats->shards) bytes += shard.bytes;
  uint64_t writes = 0, folded = 0;
  for (ingest::Lane* lane : node.lanes) {
    writes += lane->shards().meters().writes.value();
    folded += lane->shards().meters().folded.value();
  }
  Line(to, "sluice_version:{}", facts.context.identity.version);
  Line(to, "lanes:{}", node.lanes.size());
  Line(to, "keyspaces:{}", node.router->keyspaces().size());
  Line(to, "shards:{}", node.router->map().shards().size());
  Line(to, "map_epoch:{}", node.router->map().epoch().value);
  Line(to, "stored_bytes:{}", bytes);
  Line(to, "writes:{}", writes);
  Line(to, "folded_writes:{}", folded);
  Line(to, "log_appended_lsn:{}", committer.appended().value);
  Line(to, "log_durable_lsn:{}", committer.durable().value);
  Line(to, "log_pending_bytes:{}", committer.pending_bytes());
  Line(to, "log_failed:{}", committer.failed() ? 1 : 0);
  Line(to, "log_no_space:{}", committer.no_space() ? 1 : 0);
  Line(to, "disk_low:{}", node.disk_low ? 1 : 0);
  Overload(facts, to);
}

struct Section {
  std::string_view name, title;
  bool usual;  // shown when none is asked for
  void (*write)(const Facts&, std::string&);
  bool of_shards = false;  // needs their stats
};

constexpr Section kSections[] = {
    {"server", "Server", true, ServerSection},
    {"clients", "Clients", true, ClientsSection},
    {"memory", "Memory", true, MemorySection},
    {"persistence", "Persistence", true, PersistenceSection},
    {"stats", "Stats", true, StatsSection},
    {"replication", "Replication", true, ReplicationSection},
    {"cpu", "CPU", true, CpuSection},
    {"modules", "Modules", true, ModulesSection},
    {"commandstats", "Commandstats", false, CommandsSection},
    {"errorstats", "Errorstats", true, ErrorsSection},
    {"latencystats", "Latencystats", false, LatencySection},
    {"cluster", "Cluster", true, ClusterSection},
    {"keyspace", "Keyspace", true, KeyspaceSection, true},
    {"sluice", "Sluice", true, SluiceSection, true},
};

bool Asked(const std::set<std::string>& words, const Section& section) {
  if (words.contains("all") || words.contains("everything")) return true;
  if (section.usual && (words.empty() || words.contains("default"))) return true;
  return words.contains(std::string(section.name));
}

std::string Text(const Facts& facts, const std::vector<const Section*>& sections) {
  std::string text;
  for (const Section* section : sections) {
    if (!text.empty()) text += "\r\n";
    Line(text, "# {}", section->title);
    section->write(facts, text);
  }
  return text;
}

}  // namespace

Answer Info(Call& call) {
  std::set<std::string> words;
  for (const std::string_view word : call.args.subspan(1)) words.insert(Lower(word));
  std::vector<const Section*> sections;
  for (const Section& section : kSections) {
    if (Asked(words, section)) sections.push_back(&section);
  }
  const bool of_shards = std::any_of(sections.begin(), sections.end(),
                                     [](const Section* section) { return section->of_shards; });
  KeptStats::Stats kept;
  if (of_shards) kept = call.context.stats.Recent(call.context.clock.MonotonicUs());
  if (!of_shards || kept != nullptr) {
    call.reply.Verbatim(Text({call.context, kept.get()}, sections));
    return {};
  }
  ingest::GatherStats(
      call.lane, [sections, origin = call.session.origin(), version = call.client.version,
                  &context = call.context](ingest::Lane& home, ingest::NodeStats gathered) {
        const auto stats = std::make_shared<const ingest::NodeStats>(std::move(gathered));
        context.stats.Keep(stats, context.clock.MonotonicUs());
        std::string bytes;
        resp::Reply(bytes, version).Verbatim(Text({context, stats.get()}, sections));
        home.Finish(origin, bytes, {});
      });
  return {.now = false};
}

}  // namespace sluice::server
