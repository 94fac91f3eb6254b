#include "server/handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "server/connections.h"

namespace sluice::server {
namespace {

constexpr size_t kQuotedMax = 128;  // bytes of a client's word that an error repeats

struct Entry {
  std::string_view name;
  Handler run = nullptr;
  std::span<const Subcommand> (*subcommands)() = nullptr;  // instead of `run`
};

constexpr Entry kEntries[] = {
    {.name = "acl", .subcommands = AclCommands},
    {.name = "auth", .run = Auth},
    {.name = "client", .subcommands = ClientCommands},
    {.name = "command", .run = CommandTable, .subcommands = CommandCommands},
    {.name = "config", .subcommands = ConfigCommands},
    {.name = "echo", .run = Echo},
    {.name = "hello", .run = Hello},
    {.name = "info", .run = Info},
    {.name = "lastsave", .run = LastSave},
    {.name = "latency", .subcommands = LatencyCommands},
    {.name = "memory", .subcommands = MemoryCommands},
    {.name = "ping", .run = Ping},
    {.name = "quit", .run = Quit},
    {.name = "reset", .run = Reset},
    {.name = "select", .run = Select},
    {.name = "shutdown", .run = Shutdown},
    {.name = "slowlog", .subcommands = SlowlogCommands},
    {.name = "sluice", .subcommands = SluiceCommands},
    {.name = "time", .run = Time},
    {.name = "wait", .run = Wait},
    {.name = "waitaof", .run = WaitAof},
};

// The entries by place in the command table, so that finding one costs an index.
std::vector<Entry> ByPlace() {
  const std::span<const command::Spec> specs = command::AllCommands();
  std::vector<Entry> places(specs.size());
  for (const Entry& entry : kEntries) {
    const command::Spec* spec = command::FindCommand(entry.name);
    SLUICE_CHECK_MSG(spec != nullptr, entry.name);
    places[static_cast<size_t>(spec - specs.data())] = entry;
  }
  return places;
}

const Entry& EntryOf(const command::Spec& spec) {
  static const std::vector<Entry> entries = ByPlace();
  return entries[static_cast<size_t>(&spec - command::AllCommands().data())];
}

std::string Upper(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  return upper;
}

bool ArityHolds(int arity, size_t args) {
  const auto size = static_cast<int>(args);
  return arity > 0 ? size == arity : size >= -arity;
}

}  // namespace

Answer Handle(Call& call) {
  const Entry& entry = EntryOf(call.spec);
  if (entry.subcommands == nullptr || (entry.run != nullptr && call.args.size() == 1)) {
    SLUICE_CHECK_MSG(entry.run != nullptr, call.spec.name);
    return entry.run(call);
  }
  const auto subcommands = entry.subcommands();
  const auto found =
      std::find_if(subcommands.begin(), subcommands.end(),
                   [&](const Subcommand& sub) { return EqualFolded(call.args[1], sub.name); });
  if (found == subcommands.end()) {
    return Refuse(call, fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                                    call.args[1].substr(0, kQuotedMax), Upper(call.spec.name)));
  }
  const std::string full = fmt::format("{}|{}", call.spec.name, found->name);
  if (!ArityHolds(found->arity, call.args.size())) {
    return Refuse(call, fmt::format("ERR wrong number of arguments for '{}' command", full));
  }
  if (!auth::MayRun(*call.client.user, CategoriesOf(found->flags))) {
    call.session.Deny(call.reply, auth::NoPermCommand(full));
    return {};
  }
  if (found->key != 0 &&
      !auth::MayUse(*call.client.user, call.args[static_cast<size_t>(found->key)])) {
    call.session.Deny(call.reply, auth::kNoPermKeys);
    return {};
  }
  call.client.last_sub = found->name;
  return found->run(call);
}

std::span<const Subcommand> SubcommandsOf(const command::Spec& spec) {
  const auto subcommands = EntryOf(spec).subcommands;
  return subcommands == nullptr ? std::span<const Subcommand>() : subcommands();
}

bool RunsAlone(const command::Spec* spec, command::Args args) {
  const auto spans = [](const command::Spec* one) {
    return one != nullptr &&
           (one->face == command::Face::kMulti || one->face == command::Face::kGather ||
            (one->flags & command::kAlone));
  };
  if (spec == nullptr || spec->name != "sluice" || args.size() < 4) return spans(spec);
  if (EqualFolded(args[1], "range") || EqualFolded(args[1], "wait")) return true;
  if (!EqualFolded(args[1], "once")) return false;
  const size_t inner = args[2].starts_with('@') ? 4 : 3;
  return inner < args.size() && spans(command::FindCommand(args[inner]));
}

uint32_t CategoriesOf(uint32_t flags) {
  uint32_t categories = 0;
  if (flags & command::kRead) categories |= auth::kRead;
  if (flags & command::kWrite) categories |= auth::kWrite;
  if (flags & command::kAdmin) categories |= auth::kAdmin;
  return categories;
}

Answer Refuse(Call& call, std::string_view error) {
  call.reply.Error(error);
  return {};
}

Answer RefuseSyntax(Call& call) {
  return Refuse(call, "ERR syntax error");
}

Answer RefuseNoInteger(Call& call) {
  return Refuse(call, "ERR value is not an integer or out of range");
}

Answer RefuseExtra(Call& call) {
  return Refuse(call,
                fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try "
                            "{} HELP.",
                            call.args[1].substr(0, kQuotedMax), Upper(call.spec.name)));
}

Answer Okay(Call& call) {
  call.reply.Simple("OK");
  return {};
}

Answer Lines(Call& call, std::span<const std::string_view> lines) {
  call.reply.Array(lines.size());
  for (const std::string_view line : lines) call.reply.Simple(line);
  return {};
}

Answer AskLanes(Call& call, std::function<std::string(Connections&)> ask,
                std::function<void(const std::vector<std::string>&, resp::Reply&)> conclude) {
  struct Round {
    ingest::Origin origin;
    resp::Version version;
    std::vector<std::string> answers;
    size_t missing = 0;
    decltype(ask) asked;
    decltype(conclude) done;
  };
  auto round = std::make_shared<Round>();
  round->origin = call.session.origin();
  round->version = call.client.version;
  round->missing = call.context.connections.size();
  round->answers.resize(round->missing);
  round->asked = std::move(ask);
  round->done = std::move(conclude);
  Context& context = call.context;
  for (uint16_t i = 0; i < context.connections.size(); ++i) {
    call.lane.Call(model::LaneId(i), [round, i, &context](ingest::Lane& there) {
      std::string answer = round->asked(*context.connections[i]);
      there.Call(round->origin.lane, [round, i, answer = std::move(answer)](ingest::Lane& home) {
        round->answers[i] = answer;
        if (--round->missing > 0) return;
        std::string bytes;
        resp::Reply reply(bytes, round->version);
        round->done(round->answers, reply);
        home.Finish(round->origin, bytes, {});
      });
    });
  }
  return {.now = false};
}

}  // namespace sluice::server
