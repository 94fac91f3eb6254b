// MEMORY: where memory went.
#include <fmt/format.h>

#include "base/number.h"
#include "base/text.h"
#include "ingest/hash_scan.h"
#include "ingest/stats.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr int64_t kSamplesUsual = 5;
constexpr int64_t kSamplesMax = 1024;  // also what SAMPLES 0, "all", comes to

Answer Usage(Call& call) {
  int64_t samples = kSamplesUsual;
  for (size_t i = 3; i < call.args.size(); i += 2) {
    if (!EqualFolded(call.args[i], "samples") || i + 1 == call.args.size()) {
      return RefuseSyntax(call);
    }
    if (!ParseInt(call.args[i + 1], &samples)) return RefuseNoInteger(call);
    if (samples < 0) return RefuseSyntax(call);
  }
  samples = samples == 0 ? kSamplesMax : std::min(samples, kSamplesMax);
  const ingest::Submitted submitted =
      ingest::SubmitUsage(call.lane, call.args[2], static_cast<size_t>(samples),
                          call.client.version, call.session.origin(), call.reply.bytes());
  return {submitted.done, submitted.gate, {.ack = std::max(call.client.ack, submitted.ack)}};
}

Answer Doctor(Call& call) {
  const ProcessUse use = call.context.process();
  call.reply.Verbatim(
      fmt::format("{} of {} bytes of server.memory are resident; the peak was {}.\n",
                  use.resident_bytes, call.context.memory_bytes, use.resident_peak_bytes));
  return {};
}

struct Row {
  std::string_view name;
  uint64_t value;
};

void ReplyStats(resp::Reply& reply, const Context& context, const ingest::NodeStats& stats) {
  const ProcessUse use = context.process();
  uint64_t stored = 0;
  for (const ingest::ShardStat& shard : stats.shards) stored += shard.bytes;
  const uint64_t keys = stats.keys();
  const Row rows[] = {
      {"peak.allocated", use.resident_peak_bytes},
      {"total.allocated", use.allocated_bytes},
      {"startup.allocated", 0},
      {"replication.backlog", 0},
      {"clients.slaves", 0},
      {"aof.buffer", context.node.committer->pending_bytes()},
      {"keys.count", keys},
      {"keys.bytes-per-key", use.resident_bytes / std::max<uint64_t>(1, keys)},
      {"dataset.bytes", stored},
      {"allocator.resident", use.resident_bytes},
      {"allocator-rss.bytes",
       use.resident_bytes - std::min(use.resident_bytes, use.allocated_bytes)},
      {"maxmemory", context.memory_bytes},
  };
  reply.Map(std::size(rows) + 1);
  for (const Row& row : rows) {
    reply.Bulk(row.name);
    reply.Int(static_cast<int64_t>(row.value));
  }
  reply.Bulk("fragmentation");
  reply.Double(static_cast<double>(use.resident_bytes) /
               static_cast<double>(std::max<uint64_t>(1, use.allocated_bytes)));
}

Answer Stats(Call& call) {
  ingest::GatherStats(
      call.lane, [origin = call.session.origin(), version = call.client.version,
                  &context = call.context](ingest::Lane& home, const ingest::NodeStats& stats) {
        std::string bytes;
        resp::Reply reply(bytes, version);
        ReplyStats(reply, context, stats);
        home.Finish(origin, bytes, {});
      });
  return {.now = false};
}

Answer Purge(Call& call) {
  call.context.allocator.purge();
  return Okay(call);
}

Answer MallocStats(Call& call) {
  call.reply.Verbatim(call.context.allocator.stats());
  return {};
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "DOCTOR",
      "    Resident memory against server.memory, in words.",
      "MALLOC-STATS",
      "    What the allocator says of itself.",
      "PURGE",
      "    Gives freed memory back to the machine at once.",
      "STATS",
      "    Where memory went.",
      "USAGE <key> [SAMPLES <count>]",
      "    The bytes of a key and its value, about: of a large hash, so many fields are looked at",
      "    (default 5; 0: 1024).",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

}  // namespace

std::span<const Subcommand> MemoryCommands() {
  static constexpr Subcommand kCommands[] = {
      {"doctor", 2, 0, Doctor, "Resident memory against server.memory, in words."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"malloc-stats", 2, 0, MallocStats, "What the allocator says of itself."},
      {"purge", 2, 0, Purge, "Gives freed memory back to the machine."},
      {"stats", 2, 0, Stats, "Where memory went."},
      {"usage", -3, command::kRead, Usage, "The bytes that a key takes, about.", 2},
  };
  return kCommands;
}

}  // namespace sluice::server
