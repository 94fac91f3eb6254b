// ACL: who may do what. Users are made in the configuration file alone.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "base/text.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr std::string_view kCategories[] = {"keyspace", "read", "write", "string",    "hash",
                                            "admin",    "fast", "slow",  "dangerous", "connection"};

constexpr std::string_view kInFile =
    "ERR users are made in the configuration file: [user.NAME] with password_sha256, commands and "
    "keys";

// "+@read +@write", "+@all", "-@all".
std::string CommandsOf(const auth::User& user) {
  constexpr uint32_t kAll = auth::kRead | auth::kWrite | auth::kAdmin;
  if (user.categories == kAll) return "+@all";
  std::string text = "-@all +@connection";
  if (user.categories & auth::kRead) text += " +@read";
  if (user.categories & auth::kWrite) text += " +@write";
  if (user.categories & auth::kAdmin) text += " +@admin";
  return text;
}

std::string KeysOf(const auth::User& user) {
  if (user.all_keys) return "~*";
  std::string text;
  for (const std::string& glob : user.keys) text += (text.empty() ? "~" : " ~") + glob;
  return text;
}

std::string PasswordOf(const auth::User& user) {
  std::string hex;
  for (const uint8_t byte : user.password_sha256) hex += fmt::format("{:02x}", byte);
  return hex;
}

Answer WhoAmI(Call& call) {
  call.reply.Bulk(call.client.user->name);
  return {};
}

Answer List(Call& call) {
  const auto& users = call.session.users().all();
  call.reply.Array(users.size());
  for (const auth::User& user : users) {
    call.reply.Bulk(fmt::format("user {} on {} {} resetchannels {}", user.name,
                                user.has_password ? "#" + PasswordOf(user) : "nopass", KeysOf(user),
                                CommandsOf(user)));
  }
  return {};
}

Answer Names(Call& call) {
  const auto& users = call.session.users().all();
  call.reply.Array(users.size());
  for (const auth::User& user : users) call.reply.Bulk(user.name);
  return {};
}

Answer GetUser(Call& call) {
  const auth::User* user = call.session.users().Find(call.args[2]);
  if (user == nullptr) {
    call.reply.Null();
    return {};
  }
  resp::Reply& reply = call.reply;
  reply.Map(6);
  reply.Bulk("flags");
  reply.Set(user->has_password ? 1 : 2);
  reply.Bulk("on");
  if (!user->has_password) reply.Bulk("nopass");
  reply.Bulk("passwords");
  reply.Array(user->has_password ? 1 : 0);
  if (user->has_password) reply.Bulk(PasswordOf(*user));
  reply.Bulk("commands");
  reply.Bulk(CommandsOf(*user));
  reply.Bulk("keys");
  reply.Bulk(KeysOf(*user));
  reply.Bulk("channels");
  reply.Bulk("");
  reply.Bulk("selectors");
  reply.Array(0);
  return {};
}

Answer Cat(Call& call) {
  if (call.args.size() > 3) return RefuseExtra(call);
  if (call.args.size() == 2) {
    call.reply.Array(std::size(kCategories));
    for (const std::string_view category : kCategories) call.reply.Bulk(category);
    return {};
  }
  const std::string wanted = Lower(call.args[2]);
  if (std::find(std::begin(kCategories), std::end(kCategories), wanted) == std::end(kCategories)) {
    return Refuse(call, fmt::format("ERR Unknown category '{}'", call.args[2]));
  }
  const std::vector<std::string> names = CommandsIn(wanted);
  call.reply.Array(names.size());
  for (const std::string& name : names) call.reply.Bulk(name);
  return {};
}

// Refusals are counted (sluice_server_denied_total) but not kept one by one.
Answer Log(Call& call) {
  int64_t count = 0;
  if (call.args.size() > 3) return RefuseExtra(call);
  if (call.args.size() == 3) {
    if (EqualFolded(call.args[2], "reset")) return Okay(call);
    if (!ParseInt(call.args[2], &count)) return RefuseNoInteger(call);
  }
  call.reply.Array(0);
  return {};
}

Answer InFile(Call& call) {
  return Refuse(call, kInFile);
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "CAT [<category>]",
      "    Categories, or the commands of one.",
      "GETUSER <username>",
      "    What a user may do.",
      "LIST | USERS",
      "    All users with what they may do, or their names.",
      "LOG [<count> | RESET]",
      "    Empty: refusals are counted in the metrics.",
      "WHOAMI",
      "    The user of this connection.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

}  // namespace

std::span<const Subcommand> AclCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"cat", -2, 0, Cat, "The categories of commands, or the commands of one."},
      {"deluser", -3, kAdmin, InFile, "Refused: users are in the configuration file."},
      {"getuser", 3, kAdmin, GetUser, "What a user may do."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"list", 2, kAdmin, List, "All users and what they may do."},
      {"load", 2, kAdmin, InFile, "Refused: users are in the configuration file."},
      {"log", -2, kAdmin, Log, "Empty: refusals are counted in the metrics."},
      {"save", 2, kAdmin, InFile, "Refused: users are in the configuration file."},
      {"setuser", -3, kAdmin, InFile, "Refused: users are in the configuration file."},
      {"users", 2, kAdmin, Names, "The names of all users."},
      {"whoami", 2, 0, WhoAmI, "The user of this connection."},
  };
  return kCommands;
}

}  // namespace sluice::server
