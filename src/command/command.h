// What each command means to one shard's keys, in one table.
//
// A handler reads through View and says what changes as effects; it never touches log, store or
// sockets. All reads come before the first Emit. A handler whose read is cold answers kCold without
// having emitted anything; it is run again from the start when the row is there.
//
// Threads:  none; handlers are pure functions of their Call.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/effect.h"
#include "model/keyspace.h"
#include "model/row.h"
#include "resp/reply.h"

namespace sluice::command {

using Args = std::span<const std::string_view>;  // args[0] is the command's name as sent

enum class Outcome : uint8_t {
  kDone,  // the reply is written (an error is a reply too)
  kCold,  // a row is on disk only; nothing was emitted and no reply written
};

// What a handler sees of the state of the shard that owns its key.
class View {
 public:
  enum class Have : uint8_t { kYes, kNo, kCold };

  virtual ~View() = default;
  // The key's row; an expired one is kNo. `row` is valid until the first Emit.
  virtual Have FindRow(std::string_view key, model::RowView* row) = 0;
  // One field of a hash row found before, small or large. `value` is valid until the first Emit.
  virtual Have FindField(std::string_view key, const model::RowView& row, std::string_view field,
                         std::string_view* value) = 0;
  // All fields of a hash row found before, in no particular order for a large one.
  virtual Have AllFields(std::string_view key, const model::RowView& row,
                         std::vector<model::Field>* fields) = 0;
  // Logs the effect and applies it. Keyspace is filled in by the shard.
  virtual void Emit(const model::Effect& effect) = 0;
  // A number greater than every generation this key ever had.
  virtual model::Generation NewGeneration() = 0;
  virtual uint64_t now_ms() const = 0;              // log time: the only clock of commands
  virtual const model::Policy& policy() const = 0;  // of the key's keyspace
  virtual uint64_t Random() = 0;                    // for HRANDFIELD
};

struct Call {
  Args args;
  View& view;
  resp::Reply& reply;
};

// What a multi-key command learns of each of its keys, in the order of its keys.
struct KeyFact {
  enum class Type : uint8_t { kNone, kString, kHash } type = Type::kNone;
  std::string_view value;  // of a string, if the command asked for values
};
// A change that a multi-key command wants, on its `key`-th key.
struct KeyChange {
  size_t key;
  model::Effect effect;
};
struct MultiCall {
  Args args;
  std::span<const KeyFact> facts;                  // per key; empty unless the command needs them
  std::span<const model::Policy* const> policies;  // per key
  std::vector<KeyChange>& changes;                 // stays empty when the reply is an error
  uint64_t now_ms;                                 // log time: the only clock of commands
  resp::Reply& reply;
};

enum Flags : uint32_t {
  kRead = 1,
  kWrite = 2,
  kAdmin = 4,
  kFast = 8,
  kNoAuth = 16,        // allowed before AUTH
  kNeedsFacts = 32,    // multi-key: the keys' types (existence) must be looked up; those of a
                       // write also whenever one of its policies is append-only
  kNeedsValues = 64,   // multi-key: and their string values
  kUnavailable = 128,  // arrives with a later version: refused with an error that says so
  kAlone = 256,        // runs when all that its connection sent before is answered
  kIncrements = 512,   // a write that only adds to numbers
  kSeeds = 1024,       // the node's own, while a keyspace is seeded
  kFolds = 2048,       // a write of one effect at most, which may become one with its like
  kDeletes = 4096,     // a write that only ends keys or fields, now or later
};

// Who carries a command out.
enum class Face : uint8_t {
  kKey,      // one shard: `handler`
  kMulti,    // several keys, all or nothing: `multi`
  kGather,   // all shards or a range of them (SCAN, KEYS, DBSIZE, FLUSHALL, RANDOMKEY), or the
             // fields of a hash (HSCAN): ingest
  kSession,  // the connection or the server itself: server
};

struct Spec {
  std::string_view name;  // lower case
  int arity;              // as COMMAND reports it: negative is "at least"
  uint32_t flags;
  Face face;
  int first_key = 0, last_key = 0, key_step = 0;  // as COMMAND reports them
  Outcome (*handler)(Call&) = nullptr;
  void (*multi)(MultiCall&) = nullptr;
  std::string_view group = {};  // "string", "hash", "generic", "connection", "server"
  std::string_view summary = {};
};

// Calls `visit` with each key that is there until it answers false; answers what it answered last.
template <class Visit>
bool ForEachKey(const Spec& spec, Args args, Visit visit) {
  if (spec.first_key == 0) return true;
  const auto size = static_cast<int>(args.size());
  const int last = spec.last_key < 0 ? size + spec.last_key : spec.last_key;
  for (int i = spec.first_key; i <= last && i < size; i += spec.key_step) {
    if (!visit(args[static_cast<size_t>(i)])) return false;
  }
  return true;
}

// The one table, by name.
std::span<const Spec> AllCommands();
// Runs the write of one key that `args` calls (SET key value, HSET key field value …) if there is
// no such key; else replies 0. Not in the table: the node's own, when it seeds a keyspace.
const Spec& IfAbsent();
// Case-insensitive; nullptr for an unknown command.
const Spec* FindCommand(std::string_view name);
// A command that Redis has and Sluice does not offer: the alternative to name in the error; else
// empty.
std::string_view AlternativeTo(std::string_view name);
// The command that `args` calls; or nullptr and the error is written, when there is none to run:
// unknown, not offered, not available yet, or called with a wrong number of arguments.
// Requires: args is not empty.
const Spec* Resolve(Args args, resp::Reply& reply);
// The same when `found` is what FindCommand answered for args[0].
const Spec* Resolve(const Spec* found, Args args, resp::Reply& reply);

}  // namespace sluice::command
