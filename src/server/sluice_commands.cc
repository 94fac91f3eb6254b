// SLUICE: what only Sluice does.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "ingest/gather.h"
#include "server/handlers.h"
#include "server/once.h"

namespace sluice::server {
namespace {

// Arrive with later versions.
constexpr std::string_view kLater[] = {
    "asof", "history", "reshard", "saga", "txn",
};

Answer Once(Call& call) {
  OnceRequest request = ReadOnce(call.args);
  if (!request.error.empty()) return Refuse(call, request.error);
  request.once.user = call.client.user->name;
  const command::Spec* inner = command::Resolve(request.inner, call.reply);
  if (inner == nullptr) return {};
  const bool keyed = inner->face == command::Face::kKey || inner->face == command::Face::kMulti;
  if (!keyed || !(inner->flags & command::kWrite)) {
    return Refuse(call, fmt::format("ERR SLUICE ONCE runs commands that write keys; '{}' does not",
                                    inner->name));
  }
  if (!call.session.Permits(*inner, request.inner, call.reply)) return {};
  return call.session.Submit(*inner, request.inner, request.once, call.reply.bytes());
}

Answer Range(Call& call) {
  // It shows keys that it was not given by name.
  if (!call.client.user->all_keys) {
    call.session.Deny(call.reply, auth::kNoPermKeys);
    return {};
  }
  const shard::Command command{
      &call.spec, call.args.subspan(1), call.client.version, {}, call.client.priority};
  const ingest::Submitted submitted =
      ingest::SubmitRange(call.lane, command, call.session.origin(), call.reply.bytes());
  return {submitted.done, submitted.gate, {.ack = std::max(call.client.ack, submitted.ack)}};
}

Answer Ack(Call& call) {
  const std::string_view level = call.args[2];
  if (EqualFolded(level, "memory")) {
    call.client.ack = model::Ack::kMemory;
  } else if (EqualFolded(level, "durable")) {
    call.client.ack = model::Ack::kDurable;
  } else if (EqualFolded(level, "replicated")) {
    return Refuse(call,
                  "ERR 'SLUICE ACK replicated' is not available yet in this version of Sluice");
  } else {
    return Refuse(call, fmt::format("ERR there is no ack level '{}': memory or durable", level));
  }
  return Okay(call);
}

Answer Priority(Call& call) {
  constexpr model::Priority kAll[] = {model::Priority::kCritical, model::Priority::kNormal,
                                      model::Priority::kLow, model::Priority::kBackground};
  const std::string_view name = call.args[2];
  for (const model::Priority priority : kAll) {
    if (!EqualFolded(name, admit::NameOf(priority))) continue;
    call.client.priority = priority;
    return Okay(call);
  }
  return Refuse(
      call, fmt::format("ERR there is no class '{}': critical, normal, low or background", name));
}

Answer TellWhy(Call& call) {
  call.session.why().Tell(call.reply, call.context.clock.MonotonicUs());
  return {};
}

Answer NotYet(Call& call) {
  std::string name(call.args[1]);
  std::transform(name.begin(), name.end(), name.begin(), ::toupper);
  return Refuse(
      call, fmt::format("ERR 'SLUICE {}' is not available yet in this version of Sluice", name));
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "SLUICE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ACK (memory|durable)",
      "    Replies of this connection wait at least for that.",
      "DEAD <projection> [(REPLAY|PURGE) [<id> ...]]",
      "    Changes that its sink refused: lists them, tries them again, forgets them.",
      "HOTKEYS [COUNT <n>] [<keyspace>]",
      "    The keys that are written most, and what is done about it.",
      "JOB (PAUSE|RESUME|ABORT) <job>",
      "    Halts a job, lets it go on, or takes it back as long as it has not happened.",
      "JOBS",
      "    Splits, merges and moves of shards: their state, and what they wait for.",
      "MERGE <shard> <shard>",
      "    Makes one shard of two neighbours.",
      "MOVE <shard> <lane>",
      "    Gives a shard to another lane.",
      "ONCE <token> <command ...>",
      "ONCE @<producer> <seq> <command ...>",
      "    Runs a write at most once; a retry gets the first reply.",
      "PRIORITY (critical|normal|low|background)",
      "    Serves this connection as that, or as its keyspaces if they are lower.",
      "PROJECTION (PAUSE|RESUME|REBUILD|VERIFY) <projection>",
      "    Stops it, goes on, begins anew with an empty sink, or compares it with the state.",
      "PROJECTIONS",
      "    The projections, their state and how far behind they are.",
      "RANGE <keyspace> FROM <a> TO <b> [COUNT <n>] [REV] [VALUES] [AFTER <next>]",
      "    Keys in token order.",
      "ROUTE <key>",
      "    Where a key lives.",
      "SHARDS [<keyspace>]",
      "    The shards, their ranges, sizes and load.",
      "SPLIT <shard> [AT <key>]",
      "    Makes two shards of one, where its load halves or at a key.",
      "WAIT <projection> <timeout ms>",
      "    1 when all that this connection wrote is in its sink, 0 at the timeout (0: none).",
      "WHY",
      "    What recently refused or held up writes of this connection.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

std::vector<Subcommand> MakeCommands() {
  std::vector<Subcommand> commands = {
      {"ack", 3, 0, Ack, "Replies of this connection wait at least for that level."},
      {"dead", -3, command::kAdmin, DeadLetters, "Changes that a projection's sink refused."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"hotkeys", -2, command::kRead, ListHotKeys, "The keys that are written most."},
      {"job", 4, command::kAdmin, OrderJob, "Pauses, resumes or aborts a job."},
      {"jobs", 2, 0, ListJobs, "Splits, merges and moves of shards."},
      {"merge", 4, command::kAdmin, MergeShards, "Makes one shard of two neighbours."},
      {"move", 4, command::kAdmin, MoveShard, "Gives a shard to another lane."},
      {"once", -4, command::kWrite, Once,
       "Runs a write at most once; a retry gets the first reply."},
      {"priority", 3, 0, Priority, "Lowers this connection's class."},
      {"projection", 4, command::kAdmin, OrderProjection,
       "Pauses, resumes, rebuilds or verifies a projection."},
      {"projections", 2, 0, ListProjections, "The projections, and how far behind they are."},
      {"range", -3, command::kRead, Range, "Keys in token order."},
      {"route", 3, 0, RouteOf, "Where a key lives."},
      {"shards", -2, 0, ListShards, "The shards, their ranges, sizes and load."},
      {"split", -3, command::kAdmin, SplitShard, "Makes two shards of one."},
      {"wait", 4, 0, WaitForProjection,
       "Waits until a projection's sink has all that was written."},
      {"why", 2, 0, TellWhy, "What recently refused or held up this connection's writes."},
  };
  for (const std::string_view name : kLater) commands.push_back({name, -2, 0, NotYet});
  return commands;
}

}  // namespace

std::span<const Subcommand> SluiceCommands() {
  static const std::vector<Subcommand> commands = MakeCommands();
  return commands;
}

}  // namespace sluice::server
