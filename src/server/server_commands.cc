// TIME LASTSAVE SHUTDOWN WAIT WAITAOF, LATENCY, MEMORY and SLOWLOG.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "base/text.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr int64_t kSlowShown = 10;  // entries of SLOWLOG GET without a count

// The reply waits until everything this connection did is durable, whatever its ack level.
constexpr Terms kAfterAll = {.ack = model::Ack::kDurable, .after_all = true};

// --- LATENCY ---

Answer NoSamples(Call& call) {
  call.reply.Array(0);
  return {};
}

Answer LatencyReset(Call& call) {
  call.reply.Int(0);
  return {};
}

Answer LatencyDoctor(Call& call) {
  call.reply.Verbatim(
      "Sluice keeps no latency events. Its histograms are in the metrics over HTTP, slow commands "
      "in "
      "SLOWLOG.\n");
  return {};
}

Answer LatencyGraph(Call& call) {
  return Refuse(call, fmt::format("ERR No samples available for event '{}'", call.args[2]));
}

Answer LatencyHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "DOCTOR",
      "    Where latencies are shown.",
      "HISTORY <event> | LATEST",
      "    Empty: latencies are in the metrics.",
      "RESET [<event> ...]",
      "    Nothing to reset.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

// --- MEMORY ---

Answer MemoryUsage(Call& call) {
  return Refuse(call, "ERR 'MEMORY USAGE' is not available yet in this version of Sluice");
}

Answer MemoryDoctor(Call& call) {
  const ProcessUse use = call.context.process();
  call.reply.Verbatim(
      fmt::format("{} of {} bytes of server.memory are resident; the peak was {}.\n",
                  use.resident_bytes, call.context.memory_bytes, use.resident_peak_bytes));
  return {};
}

Answer MemoryStats(Call& call) {
  const ProcessUse use = call.context.process();
  const std::pair<std::string_view, uint64_t> rows[] = {
      {"peak.allocated", use.resident_peak_bytes},
      {"total.allocated", use.resident_bytes},
      {"maxmemory", call.context.memory_bytes},
  };
  call.reply.Map(std::size(rows));
  for (const auto& [name, value] : rows) {
    call.reply.Bulk(name);
    call.reply.Int(static_cast<int64_t>(value));
  }
  return {};
}

Answer MemoryHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "DOCTOR | STATS",
      "    Resident memory against server.memory.",
      "PURGE",
      "    Accepted: freed memory goes back by itself.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

// --- SLOWLOG ---

Answer SlowlogGet(Call& call) {
  int64_t count = kSlowShown;
  if (call.args.size() > 3) return RefuseExtra(call);
  if (call.args.size() == 3 && (!ParseInt(call.args[2], &count) || count < -1)) {
    return Refuse(call, "ERR count should be greater than or equal to -1");
  }
  if (count < 0) count = SlowLog::kEntriesMost;
  const std::vector<SlowCommand> slow = call.context.slow_log.Latest(static_cast<size_t>(count));
  call.reply.Array(slow.size());
  for (const SlowCommand& entry : slow) {
    call.reply.Array(6);
    call.reply.Int(static_cast<int64_t>(entry.id));
    call.reply.Int(static_cast<int64_t>(entry.unix_s));
    call.reply.Int(static_cast<int64_t>(entry.microseconds));
    call.reply.Array(entry.args.size());
    for (const std::string& arg : entry.args) call.reply.Bulk(arg);
    call.reply.Bulk(entry.peer);
    call.reply.Bulk(entry.client_name);
  }
  return {};
}

Answer SlowlogLen(Call& call) {
  call.reply.Int(static_cast<int64_t>(call.context.slow_log.size()));
  return {};
}

Answer SlowlogReset(Call& call) {
  call.context.slow_log.Clear();
  return Okay(call);
}

Answer SlowlogHelp(Call& call) {
  static constexpr std::string_view kLines[] = {
      "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "GET [<count>]",
      "    The latest slow commands (default 10, -1: all): id, time, microseconds, arguments,",
      "    address and name of the client.",
      "LEN",
      "    How many there are.",
      "RESET",
      "    Forgets them.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

}  // namespace

Answer Time(Call& call) {
  const uint64_t wall_ms = call.context.clock.WallMs();
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(wall_ms / 1000));
  call.reply.Bulk(std::to_string(wall_ms % 1000 * 1000));
  return {};
}

Answer LastSave(Call& call) {
  // Whatever was acknowledged is durable: the last save is always now.
  call.reply.Int(static_cast<int64_t>(call.context.clock.WallMs() / 1000));
  return {};
}

Answer Shutdown(Call& call) {
  for (const std::string_view word : call.args.subspan(1)) {
    if (EqualFolded(word, "abort")) return Refuse(call, "ERR No shutdown in progress.");
    static constexpr std::string_view kAccepted[] = {"save", "nosave", "now", "force"};
    if (std::none_of(std::begin(kAccepted), std::end(kAccepted),
                     [&](std::string_view known) { return EqualFolded(word, known); })) {
      return RefuseSyntax(call);
    }
  }
  call.session.CloseAfterReplies();
  call.context.stop();
  return {.terms = {.ack = model::Ack::kMemory, .silent = true}};
}

Answer Wait(Call& call) {
  int64_t replicas = 0, timeout_ms = 0;
  if (!ParseInt(call.args[1], &replicas)) return RefuseNoInteger(call);
  if (!ParseInt(call.args[2], &timeout_ms)) {
    return Refuse(call, "ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return Refuse(call, "ERR timeout is negative");
  call.reply.Int(0);
  return {.terms = kAfterAll};
}

Answer WaitAof(Call& call) {
  int64_t local = 0, replicas = 0, timeout_ms = 0;
  if (!ParseInt(call.args[1], &local)) return RefuseNoInteger(call);
  if (local < 0 || local > 1) {
    return Refuse(call, "ERR value is out of range, value must between 0 and 1");
  }
  if (!ParseInt(call.args[2], &replicas)) return RefuseNoInteger(call);
  if (replicas < 0) return Refuse(call, "ERR value is out of range, must be positive");
  if (!ParseInt(call.args[3], &timeout_ms)) {
    return Refuse(call, "ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return Refuse(call, "ERR timeout is negative");
  call.reply.Array(2);
  call.reply.Int(1);
  call.reply.Int(0);
  return {.terms = kAfterAll};
}

std::span<const Subcommand> LatencyCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"doctor", 2, kAdmin, LatencyDoctor}, {"graph", 3, kAdmin, LatencyGraph},
      {"help", 2, 0, LatencyHelp},          {"history", 3, kAdmin, NoSamples},
      {"latest", 2, kAdmin, NoSamples},     {"reset", -2, kAdmin, LatencyReset},
  };
  return kCommands;
}

std::span<const Subcommand> MemoryCommands() {
  static constexpr Subcommand kCommands[] = {
      {"doctor", 2, 0, MemoryDoctor},
      {"help", 2, 0, MemoryHelp},
      {"purge", 2, 0, Okay},
      {"stats", 2, 0, MemoryStats},
      {"usage", -3, command::kRead, MemoryUsage},
  };
  return kCommands;
}

std::span<const Subcommand> SlowlogCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"get", -2, kAdmin, SlowlogGet},
      {"help", 2, 0, SlowlogHelp},
      {"len", 2, kAdmin, SlowlogLen},
      {"reset", 2, kAdmin, SlowlogReset},
  };
  return kCommands;
}

}  // namespace sluice::server
