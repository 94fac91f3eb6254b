// COMMAND: the command table and the manual, as clients ask for them.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/glob.h"
#include "base/text.h"
#include "command/manual.h"
#include "command/reply_bound.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

using command::Spec;

// A command that a client can call, or one of a container's.
struct Told {
  const Spec* spec;
  const Subcommand* sub = nullptr;

  std::string name() const {
    return sub == nullptr ? std::string(spec->name) : fmt::format("{}|{}", spec->name, sub->name);
  }
  int arity() const { return sub == nullptr ? spec->arity : sub->arity; }
  // A container is as open as the most open of its commands.
  uint32_t flags() const {
    if (sub != nullptr) return sub->flags;
    return SubcommandsOf(*spec).empty() ? spec->flags : spec->flags & ~uint32_t{command::kAdmin};
  }
  int first_key() const { return sub == nullptr ? spec->first_key : sub->key; }
  int last_key() const { return sub == nullptr ? spec->last_key : sub->key; }
  int key_step() const { return sub == nullptr ? spec->key_step : std::min(sub->key, 1); }
};

std::vector<Told> Offered() {
  std::vector<Told> offered;
  for (const Spec& spec : command::AllCommands()) {
    if (!(spec.flags & command::kUnavailable)) offered.push_back({&spec});
  }
  return offered;
}

// Those of containers too.
std::vector<Told> OfferedAndTheirs() {
  std::vector<Told> all;
  for (const Told& told : Offered()) {
    all.push_back(told);
    for (const Subcommand& sub : SubcommandsOf(*told.spec)) all.push_back({told.spec, &sub});
  }
  return all;
}

std::optional<Told> FindOffered(std::string_view name) {
  const size_t bar = std::min(name.find('|'), name.size());
  const Spec* spec = command::FindCommand(name.substr(0, bar));
  if (spec == nullptr || (spec->flags & command::kUnavailable)) return std::nullopt;
  if (bar == name.size()) return Told{spec};
  for (const Subcommand& sub : SubcommandsOf(*spec)) {
    if (EqualFolded(name.substr(bar + 1), sub.name)) return Told{spec, &sub};
  }
  return std::nullopt;
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

std::vector<std::string> Categories(const Told& told) {
  const uint32_t flags = told.flags();
  std::vector<std::string> names;
  if (flags & command::kWrite) names.emplace_back("@write");
  if (flags & command::kRead) names.emplace_back("@read");
  if (flags & command::kAdmin) names.insert(names.end(), {"@admin", "@dangerous"});
  names.emplace_back(flags & command::kFast ? "@fast" : "@slow");
  const std::string_view group = told.spec->group;
  if (group != "server")
    names.push_back(fmt::format("@{}", group == "generic" ? "keyspace" : group));
  return names;
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

void SimpleSet(resp::Reply& reply, const auto& names) {
  reply.Set(names.size());
  for (const auto& name : names) reply.Simple(name);
}

// --- INFO ---

// Where the keys stand, as the key specifications of Redis 7 say it.
void KeySpecs(resp::Reply& reply, const Told& told) {
  if (told.first_key() == 0) return reply.Array(0);
  reply.Array(1);
  reply.Map(3);
  reply.Bulk("flags");
  SimpleSet(reply, Words(command::FindManual(told.name())->key_use));
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("index");
  reply.Bulk("spec");
  reply.Map(1);
  reply.Bulk("index");
  reply.Int(told.first_key());
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("range");
  reply.Bulk("spec");
  reply.Map(3);
  reply.Bulk("lastkey");
  reply.Int(told.last_key() < 0 ? told.last_key() : told.last_key() - told.first_key());
  reply.Bulk("keystep");
  reply.Int(told.key_step());
  reply.Bulk("limit");
  reply.Int(0);
}

void Describe(resp::Reply& reply, const Told& told) {
  reply.Array(10);
  reply.Bulk(told.name());
  reply.Int(told.arity());
  SimpleSet(reply, FlagNames(told.flags()));
  reply.Int(told.first_key());
  reply.Int(told.last_key());
  reply.Int(told.key_step());
  SimpleSet(reply, Categories(told));
  reply.Array(0);  // tips
  KeySpecs(reply, told);
  const auto subs = told.sub == nullptr ? SubcommandsOf(*told.spec) : std::span<const Subcommand>();
  reply.Array(subs.size());
  for (const Subcommand& sub : subs) Describe(reply, {told.spec, &sub});
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
    const std::optional<Told> told = FindOffered(name);
    told.has_value() ? Describe(call.reply, *told) : call.reply.Null();
    if (command::EndedTooLong(call.reply, begin)) break;
  }
  return {};
}

// --- DOCS ---

void DescribeArguments(resp::Reply& reply, const std::vector<command::Argument>& arguments) {
  reply.Array(arguments.size());
  for (const command::Argument& argument : arguments) {
    const bool is_key = argument.type == "key";
    const bool plain = argument.type != "pure-token";
    const std::vector<std::string_view> flags =
        argument.optional && argument.multiple
            ? std::vector<std::string_view>{"optional", "multiple"}
        : argument.optional ? std::vector<std::string_view>{"optional"}
        : argument.multiple ? std::vector<std::string_view>{"multiple"}
                            : std::vector<std::string_view>();
    reply.Map(2 + size_t{is_key} + size_t{!argument.token.empty()} + size_t{!flags.empty()} +
              size_t{!argument.arguments.empty()});
    reply.Bulk("name");
    reply.Bulk(plain ? std::string(argument.name) : Lower(argument.name));
    reply.Bulk("type");
    reply.Bulk(argument.type);
    if (is_key) {
      reply.Bulk("key_spec_index");
      reply.Int(0);
    }
    if (!argument.token.empty()) {
      reply.Bulk("token");
      reply.Bulk(argument.token);
    }
    if (!flags.empty()) {
      reply.Bulk("flags");
      SimpleSet(reply, flags);
    }
    if (!argument.arguments.empty()) {
      reply.Bulk("arguments");
      DescribeArguments(reply, argument.arguments);
    }
  }
}

void Document(resp::Reply& reply, const Told& told) {
  const command::ManualEntry& manual = *command::FindManual(told.name());
  std::vector<Told> subs;
  if (told.sub == nullptr) {
    for (const Subcommand& sub : SubcommandsOf(*told.spec)) {
      if (!sub.summary.empty()) subs.push_back({told.spec, &sub});
    }
  }
  reply.Bulk(told.name());
  reply.Map(4 + size_t{!manual.arguments.empty()} + size_t{!subs.empty()});
  reply.Bulk("summary");
  reply.Bulk(told.sub == nullptr ? told.spec->summary : told.sub->summary);
  reply.Bulk("since");
  reply.Bulk(manual.since);
  reply.Bulk("group");
  reply.Bulk(told.spec->group);
  reply.Bulk("complexity");
  reply.Bulk(manual.complexity);
  if (!manual.arguments.empty()) {
    reply.Bulk("arguments");
    DescribeArguments(reply, command::ParseArguments(manual.arguments));
  }
  if (!subs.empty()) {
    reply.Bulk("subcommands");
    reply.Map(subs.size());
    for (const Told& sub : subs) Document(reply, sub);
  }
}

Answer Docs(Call& call) {
  std::vector<Told> asked;
  if (call.args.size() == 2) asked = Offered();
  for (const std::string_view name : call.args.subspan(2)) {
    const std::optional<Told> told = FindOffered(name);
    if (told.has_value() && command::FindManual(told->name()) != nullptr) asked.push_back(*told);
  }
  const size_t begin = call.reply.size();
  call.reply.Map(asked.size());
  for (const Told& told : asked) {
    Document(call.reply, told);
    if (command::EndedTooLong(call.reply, begin)) break;
  }
  return {};
}

// --- GETKEYS, GETKEYSANDFLAGS ---

// The keys of the command that `args` calls; or writes why there are none.
std::vector<std::string_view> KeysOf(Call& call, command::Args args, std::optional<Told>* told) {
  *told = FindOffered(args[0]);
  if (told->has_value() && !SubcommandsOf(*(*told)->spec).empty() && args.size() > 1) {
    *told = FindOffered(fmt::format("{}|{}", args[0], args[1]));
  }
  std::vector<std::string_view> keys;
  const int size = static_cast<int>(args.size());
  if (!told->has_value()) {
    Refuse(call, "ERR Invalid command specified");
  } else if ((*told)->first_key() == 0) {
    Refuse(call, "ERR The command has no key arguments");
  } else if ((*told)->arity() > 0 ? size != (*told)->arity() : size < -(*told)->arity()) {
    Refuse(call, "ERR Invalid number of arguments specified for command");
  } else {
    const int last = (*told)->last_key();
    for (int i = (*told)->first_key(); i <= (last < 0 ? size + last : last);
         i += (*told)->key_step()) {
      keys.push_back(args[static_cast<size_t>(i)]);
    }
  }
  return keys;
}

Answer GetKeys(Call& call) {
  std::optional<Told> told;
  const std::vector<std::string_view> keys = KeysOf(call, call.args.subspan(2), &told);
  if (keys.empty()) return {};
  call.reply.Array(keys.size());
  for (const std::string_view key : keys) call.reply.Bulk(key);
  return {};
}

Answer GetKeysAndFlags(Call& call) {
  const command::Args args = call.args.subspan(2);
  std::optional<Told> told;
  const std::vector<std::string_view> keys = KeysOf(call, args, &told);
  if (keys.empty()) return {};
  std::vector<std::string_view> flags = Words(command::FindManual(told->name())->key_use);
  if (std::erase(flags, "variable_flags") > 0) {  // SET reads only with GET
    const bool reads = std::any_of(args.begin() + 3, args.end(),
                                   [](std::string_view word) { return EqualFolded(word, "get"); });
    if (!reads) flags = {"OW", "update"};
  }
  const size_t begin = call.reply.size();
  call.reply.Array(keys.size());
  for (const std::string_view key : keys) {
    call.reply.Array(2);
    call.reply.Bulk(key);
    SimpleSet(call.reply, flags);
    if (command::EndedTooLong(call.reply, begin)) break;
  }
  return {};
}

// --- LIST, HELP ---

Answer List(Call& call) {
  const command::Args args = call.args;
  if (args.size() != 2 && (args.size() != 5 || !EqualFolded(args[2], "filterby"))) {
    return RefuseSyntax(call);
  }
  const std::string_view filter = args.size() == 5 ? args[3] : std::string_view();
  std::vector<std::string> names;
  if (EqualFolded(filter, "aclcat")) {
    names = CommandsIn(Lower(args[4]));
  } else if (filter.empty() || EqualFolded(filter, "pattern")) {
    for (const Told& told : OfferedAndTheirs()) {
      if (filter.empty() || GlobMatch(args[4], told.name(), Letters::kAnyCase)) {
        names.push_back(told.name());
      }
    }
  } else if (!EqualFolded(filter, "module")) {
    return RefuseSyntax(call);
  }
  call.reply.Array(names.size());
  for (const std::string& name : names) call.reply.Bulk(name);
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
      "GETKEYSANDFLAGS <full-command>",
      "    The same, with what the command does to them.",
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

std::vector<std::string> CommandsIn(std::string_view category) {
  const std::string wanted = fmt::format("@{}", category);
  std::vector<std::string> names;
  for (const Told& told : OfferedAndTheirs()) {
    const auto categories = Categories(told);
    if (std::find(categories.begin(), categories.end(), wanted) != categories.end()) {
      names.push_back(told.name());
    }
  }
  return names;
}

Answer CommandTable(Call& call) {
  const std::vector<Told> all = Offered();
  call.reply.Array(all.size());
  for (const Told& told : all) Describe(call.reply, told);
  return {};
}

std::span<const Subcommand> CommandCommands() {
  static constexpr Subcommand kCommands[] = {
      {"count", 2, 0, Count, "How many commands there are."},
      {"docs", -2, 0, Docs, "What commands do and how they are called."},
      {"getkeys", -4, 0, GetKeys, "The keys of a full command."},
      {"getkeysandflags", -4, 0, GetKeysAndFlags,
       "The keys of a full command, and what it does to them."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"info", -2, 0, ShowInfo, "Entries of the command table."},
      {"list", -2, 0, List, "Names of commands."},
  };
  return kCommands;
}

}  // namespace sluice::server
