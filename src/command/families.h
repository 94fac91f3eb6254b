// The parts that the one table is made of, one per file of handlers.
#pragma once

#include <span>

#include "command/command.h"

namespace sluice::command {

// The entry of a command on one key, its first argument.
constexpr Spec KeyCommand(std::string_view name, int arity, uint32_t flags,
                          Outcome (*handler)(Call&), std::string_view group,
                          std::string_view summary) {
  return Spec{.name = name,
              .arity = arity,
              .flags = flags,
              .face = Face::kKey,
              .first_key = 1,
              .last_key = 1,
              .key_step = 1,
              .handler = handler,
              .group = group,
              .summary = summary};
}

// The entry of a command without keys that the connection, the server or all shards carry out.
constexpr Spec PlainCommand(std::string_view name, int arity, uint32_t flags, Face face,
                            std::string_view group, std::string_view summary) {
  return Spec{.name = name,
              .arity = arity,
              .flags = flags,
              .face = face,
              .group = group,
              .summary = summary};
}

std::span<const Spec> StringCommands();
std::span<const Spec> RangeCommands();
std::span<const Spec> CounterCommands();
std::span<const Spec> KeyCommands();
std::span<const Spec> HashCommands();
std::span<const Spec> HashWalkCommands();
std::span<const Spec> MultiCommands();
std::span<const Spec> SessionCommands();
std::span<const Spec> LaterCommands();  // kUnavailable

}  // namespace sluice::command
