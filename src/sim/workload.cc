#include "sim/workload.h"

#include <map>

#include "base/number.h"

namespace sluice::sim {
namespace {

constexpr WorkloadKind kWorkloads[] = {
    {"registers", "integers that all clients read, write and count: linearizable", false,
     MakeRegisters},
    {"rings", "keys of several shards, written and read together: linearizable as one", false,
     MakeRings},
    {"objects", "strings and hashes, large ones too: what a model of them says", false,
     MakeObjects},
    {"blind", "plain SETs to one shard: a prefix survives", false, MakeBlind},
    {"once", "counters under once tokens, retried: exact", false, MakeOnce},
    {"expiry", "keys with a time to live: there until it has come, and not after", false,
     MakeExpiry},
    {"scans", "walks over keys that come and go: each that stays exactly once", false, MakeScans},
    {"memory", "ack = memory, append-only: a prefix, with all that a durable write witnesses",
     false, MakeMemory},
    {"hot", "a counter and a field that all clients add to: each answered write counts once", false,
     MakeHot},
    {"projected", "projections: each sink is what the keys are, and no delta comes twice", false,
     MakeProjected},
    {"flushes", "registers, and FLUSHALL among them: linearizable per key", true, MakeFlushes},
    {"clears", "rings, and FLUSHALL among them: a restart finds what the lanes held", true,
     MakeClears},
    {"overload", "counters of each priority, held back and refused by class: exact", false,
     MakeOverload, true},
};

}  // namespace

std::span<const WorkloadKind> AllWorkloads() {
  return kWorkloads;
}

std::optional<int64_t> NumberIn(const resp::Value& reply) {
  if (reply.type == resp::Value::Type::kInt) return reply.number;
  int64_t number = 0;
  if (reply.type != resp::Value::Type::kBulk || !ParseInt(reply.text, &number)) return std::nullopt;
  return number;
}

std::string TextOf(const resp::Value& reply) {
  using Type = resp::Value::Type;
  switch (reply.type) {
    case Type::kNull:
      return "nil";
    case Type::kInt:
      return std::to_string(reply.number);
    case Type::kError:
      return "-" + reply.text.substr(0, reply.text.find(' '));
    case Type::kArray:
    case Type::kMap:
    case Type::kSet:
      break;
    default:
      return "\"" + reply.text + "\"";
  }
  std::map<std::string, std::string> pairs;
  for (size_t i = 0; i + 1 < reply.items.size(); i += 2) {
    pairs[TextOf(reply.items[i])] = TextOf(reply.items[i + 1]);
  }
  std::string text = "{";
  for (const auto& [name, value] : pairs) text += name + ":" + value + " ";
  return text + "}";
}

}  // namespace sluice::sim
