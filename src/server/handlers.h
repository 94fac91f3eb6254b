// Commands that the connection or the server answers itself: who carries out which.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command/command.h"
#include "ingest/lane.h"
#include "resp/reply.h"
#include "server/context.h"
#include "server/session.h"

namespace sluice::server {

// One call of such a command.
struct Call {
  Session& session;
  Client& client;
  Context& context;
  ingest::Lane& lane;
  const command::Spec& spec;
  command::Args args;
  resp::Reply& reply;
};
using Handler = Answer (*)(Call&);

// Runs a command of face kSession, which the client may run. A container's subcommand is looked up,
// and its arity and permission are checked here.
Answer Handle(Call& call);

// Whether the command goes to several keys or shards, as itself or inside SLUICE ONCE, or is about
// all that came before it. `spec` is what FindCommand answers for args[0].
bool RunsAlone(const command::Spec* spec, command::Args args);

// What a user must be allowed for a command of these flags, as auth::Category.
uint32_t CategoriesOf(uint32_t flags);

// A command of a container, such as CLIENT LIST.
struct Subcommand {
  std::string_view name;  // lower case
  int arity;              // of the whole command; negative is "at least"
  uint32_t flags;         // command::Flags
  Handler run;
  std::string_view summary = {};  // empty: of a later version
  int key = 0;                    // where its key stands; 0: it has none
};
// Empty when the command is no container.
std::span<const Subcommand> SubcommandsOf(const command::Spec& spec);

// The names of an ACL category's commands ("read", "string"), as COMMAND and ACL CAT list them.
std::vector<std::string> CommandsIn(std::string_view category);

// Each writes an error and answers with it.
Answer Refuse(Call& call, std::string_view error);
Answer RefuseSyntax(Call& call);
Answer RefuseNoInteger(Call& call);
Answer RefuseExtra(Call& call);  // a subcommand was given more than it takes
Answer Okay(Call& call);
// One line of text after another, as HELP answers.
Answer Lines(Call& call, std::span<const std::string_view> lines);

// Asks the connections of every lane on their own lane; `conclude` writes the reply from the
// answers, by lane, on this one.
Answer AskLanes(Call& call, std::function<std::string(Connections&)> ask,
                std::function<void(const std::vector<std::string>&, resp::Reply&)> conclude);

// The containers, each in the file of its name.
std::span<const Subcommand> AclCommands();
std::span<const Subcommand> ClientCommands();
std::span<const Subcommand> CommandCommands();
std::span<const Subcommand> ConfigCommands();
std::span<const Subcommand> LatencyCommands();
std::span<const Subcommand> MemoryCommands();
std::span<const Subcommand> SlowlogCommands();
std::span<const Subcommand> SluiceCommands();

// Of SLUICE.
Answer RouteOf(Call& call);
Answer ListShards(Call& call);
Answer ListHotKeys(Call& call);
Answer SplitShard(Call& call);
Answer MergeShards(Call& call);
Answer MoveShard(Call& call);
Answer ListJobs(Call& call);
Answer OrderJob(Call& call);  // JOB PAUSE …
Answer ListProjections(Call& call);
Answer OrderProjection(Call& call);  // PROJECTION PAUSE …
Answer DeadLetters(Call& call);      // DEAD name …
Answer WaitForProjection(Call& call);

// Single commands.
Answer Auth(Call& call);
Answer CommandTable(Call& call);  // COMMAND without arguments
Answer Echo(Call& call);
Answer Hello(Call& call);
Answer Info(Call& call);
Answer LastSave(Call& call);
Answer Ping(Call& call);
Answer Quit(Call& call);
Answer Reset(Call& call);
Answer Select(Call& call);
Answer Shutdown(Call& call);
Answer Time(Call& call);
Answer Wait(Call& call);
Answer WaitAof(Call& call);

}  // namespace sluice::server
