// COMMAND: the command table, as clients ask for it.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/glob.h"
#include "base/text.h"
#include "command/reply_bound.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

using command::Spec;

// Those that a client can call.
std::vector<const Spec*> Offered() {
  std::vector<const Spec*> offered;
  for (const Spec& spec : command::AllCommands()) {
    if (!(spec.flags & command::kUnavailable)) offered.push_back(&spec);
  }
  return offered;
}

const Spec* FindOffered(std::string_view name) {
  const Spec* spec = command::FindCommand(name);
  return spec != nullptr && !(spec->flags & command::kUnavailable) ? spec : nullptr;
}

std::vector<std::string_view> FlagNames(uint32_t flags) {
  std::vector<std::string_view> names;
  if (flags & command::kWrite) names.push_back("write");
  if (flags & command::kRead) names.push_back("readonly");
  if (flags & command::kAdmin) names.push_back("admin");
  if (flags & command::kFast) names.push_back("fast");
  if (flags & command::kNoAuth) names.push_back("no_auth");
  return names;
}

std::vector<std::string> Categories(uint32_t flags, std::string_view group) {
  std::vector<std::string> names;
  if (flags & command::kWrite) names.emplace_back("@write");
  if (flags & command::kRead) names.emplace_back("@read");
  if (flags & command::kAdmin) names.insert(names.end(), {"@admin", "@dangerous"});
  names.emplace_back(flags & command::kFast ? "@fast" : "@slow");
  if (group == "generic") group = "keyspace";
  if (group != "server") names.push_back(fmt::format("@{}", group));
  return names;
}

void SimpleSet(resp::Reply& reply, const auto& names) {
  reply.Set(names.size());
  for (const auto& name : names) reply.Simple(name);
}

// Where the keys stand, as the key specifications of Redis 7 say it.
void KeySpecs(resp::Reply& reply, const Spec& spec) {
  if (spec.first_key == 0) return reply.Array(0);
  reply.Array(1);
  reply.Map(3);
  reply.Bulk("flags");
  reply.Set(1);
  reply.Simple(spec.flags & command::kWrite ? "RW" : "RO");
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("index");
  reply.Bulk("spec");
  reply.Map(1);
  reply.Bulk("index");
  reply.Int(spec.first_key);
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("range");
  reply.Bulk("spec");
  reply.Map(3);
  reply.Bulk("lastkey");
  reply.Int(spec.last_key < 0 ? spec.last_key : spec.last_key - spec.first_key);
  reply.Bulk("keystep");
  reply.Int(spec.key_step);
  reply.Bulk("limit");
  reply.Int(0);
}

void Describe(resp::Reply& reply, const Spec& spec, const std::string& name, int arity,
              uint32_t flags) {
  reply.Array(10);
  reply.Bulk(name);
  reply.Int(arity);
  SimpleSet(reply, FlagNames(flags));
  reply.Int(spec.first_key);
  reply.Int(spec.last_key);
  reply.Int(spec.key_step);
  SimpleSet(reply, Categories(flags, spec.group));
  reply.Array(0);  // tips
  KeySpecs(reply, spec);
}

void DescribeWhole(resp::Reply& reply, const Spec& spec) {
  const std::span<const Subcommand> subcommands = SubcommandsOf(spec);
  Describe(reply, spec, std::string(spec.name), spec.arity,
           subcommands.empty() ? spec.flags : spec.flags & ~uint32_t{command::kAdmin});
  reply.Array(subcommands.size());
  for (const Subcommand& sub : subcommands) {
    Describe(reply, spec, fmt::format("{}|{}", spec.name, sub.name), sub.arity, sub.flags);
    reply.Array(0);
  }
}

Answer Count(Call& call) {
  call.reply.Int(static_cast<int64_t>(Offered().size()));
  return {};
}

Answer ShowInfo(Call& call) {
  if (call.args.size() == 2) return CommandTable(call);
  const command::Args names = call.args.subspan(2);
  const size_t begin = call.reply.size();
  call.reply.Array(names.size());
  for (const std::string_view name : names) {
    const Spec* spec = FindOffered(name);
    spec != nullptr ? DescribeWhole(call.reply, *spec) : call.reply.Null();
    if (command::EndedTooLong(call.reply, begin)) break;
  }
  return {};
}

Answer Docs(Call& call) {
  std::vector<const Spec*> specs;
  if (call.args.size() == 2) specs = Offered();
  for (const std::string_view name : call.args.subspan(2)) {
    if (const Spec* spec = FindOffered(name)) specs.push_back(spec);
  }
  const size_t begin = call.reply.size();
  call.reply.Map(specs.size());
  for (const Spec* spec : specs) {
    call.reply.Bulk(spec->name);
    call.reply.Map(3);
    call.reply.Bulk("summary");
    call.reply.Bulk(spec->summary);
    call.reply.Bulk("group");
    call.reply.Bulk(spec->group);
    call.reply.Bulk("arity");
    call.reply.Int(spec->arity);
    if (command::EndedTooLong(call.reply, begin)) break;
  }
  return {};
}

Answer GetKeys(Call& call) {
  const command::Args args = call.args.subspan(2);
  const Spec* spec = FindOffered(args[0]);
  if (spec == nullptr) return Refuse(call, "ERR Invalid command specified");
  const int size = static_cast<int>(args.size());
  if (spec->arity > 0 ? size != spec->arity : size < -spec->arity) {
    return Refuse(call, "ERR Invalid number of arguments specified for command");
  }
  if (spec->first_key == 0) return Refuse(call, "ERR The command has no key arguments");
  std::vector<std::string_view> keys;
  const int last = spec->last_key < 0 ? size + spec->last_key : spec->last_key;
  for (int i = spec->first_key; i <= last && i < size; i += spec->key_step) {
    keys.push_back(args[static_cast<size_t>(i)]);
  }
  call.reply.Array(keys.size());
  for (const std::string_view key : keys) call.reply.Bulk(key);
  return {};
}

Answer List(Call& call) {
  const command::Args args = call.args;
  if (args.size() != 2 && (args.size() != 5 || !EqualFolded(args[2], "filterby"))) {
    return RefuseSyntax(call);
  }
  const std::string_view filter = args.size() == 5 ? args[3] : std::string_view();
  std::vector<const Spec*> specs;
  if (filter.empty()) {
    specs = Offered();
  } else if (EqualFolded(filter, "pattern")) {
    for (const Spec* spec : Offered()) {
      if (GlobMatch(args[4], spec->name, Letters::kAnyCase)) specs.push_back(spec);
    }
  } else if (EqualFolded(filter, "aclcat")) {
    specs = CommandsIn(Lower(args[4]));
  } else if (!EqualFolded(filter, "module")) {
    return RefuseSyntax(call);
  }
  call.reply.Array(specs.size());
  for (const Spec* spec : specs) call.reply.Bulk(spec->name);
  return {};
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "(no subcommand)",
      "    The whole command table.",
      "COUNT",
      "    How many commands there are.",
      "DOCS [<command-name> ...]",
      "    What commands do.",
      "GETKEYS <full-command>",
      "    The keys of a full command.",
      "INFO [<command-name> ...]",
      "    Entries of the command table.",
      "LIST [FILTERBY (ACLCAT <cat> | PATTERN <pattern> | MODULE <module>)]",
      "    Names of commands.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

}  // namespace

std::vector<const Spec*> CommandsIn(std::string_view category) {
  std::vector<const Spec*> specs = Offered();
  const std::string wanted = fmt::format("@{}", category);
  std::erase_if(specs, [&](const Spec* spec) {
    const auto categories = Categories(spec->flags, spec->group);
    return std::find(categories.begin(), categories.end(), wanted) == categories.end();
  });
  return specs;
}

Answer CommandTable(Call& call) {
  const std::vector<const Spec*> specs = Offered();
  call.reply.Array(specs.size());
  for (const Spec* spec : specs) DescribeWhole(call.reply, *spec);
  return {};
}

std::span<const Subcommand> CommandCommands() {
  static constexpr Subcommand kCommands[] = {
      {"count", 2, 0, Count}, {"docs", -2, 0, Docs},     {"getkeys", -4, 0, GetKeys},
      {"help", 2, 0, Help},   {"info", -2, 0, ShowInfo}, {"list", -2, 0, List},
  };
  return kCommands;
}

}  // namespace sluice::server
