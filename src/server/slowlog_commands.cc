// SLOWLOG: the commands that kept their lane longest.
#include "base/number.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr int64_t kShown = 10;  // entries of GET without a count

Answer Get(Call& call) {
  int64_t count = kShown;
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

Answer Len(Call& call) {
  call.reply.Int(static_cast<int64_t>(call.context.slow_log.size()));
  return {};
}

Answer ResetLog(Call& call) {
  call.context.slow_log.Clear();
  return Okay(call);
}

Answer Help(Call& call) {
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

std::span<const Subcommand> SlowlogCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"get", -2, kAdmin, Get, "The latest slow commands."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"len", 2, kAdmin, Len, "How many slow commands are kept."},
      {"reset", 2, kAdmin, ResetLog, "Forgets all slow commands."},
  };
  return kCommands;
}

}  // namespace sluice::server
