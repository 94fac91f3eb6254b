// Client: what a connection is and has said of itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/users.h"
#include "command/command.h"
#include "model/keyspace.h"
#include "resp/reply.h"

namespace sluice::server {

// kSkipThis: while the command runs whose reply is skipped.
enum class Replies : uint8_t { kOn, kOff, kSkipNext, kSkipThis };

struct Client {
  uint64_t id = 0;  // unique among all connections since the start
  std::string peer, local;
  std::string name, lib_name, lib_version;
  const auth::User* user = nullptr;
  bool authenticated = false;
  bool no_evict = false, no_touch = false;
  resp::Version version = resp::Version::k2;
  model::Ack ack = model::Ack::kMemory;                   // at least; a keyspace may ask for more
  model::Priority priority = model::Priority::kCritical;  // at most; a keyspace may have less
  Replies replies = Replies::kOn;
  uint64_t opened_us = 0, active_us = 0;  // monotonic
  const command::Spec* last = nullptr;    // the last command, and its subcommand
  std::string_view last_sub;
};

}  // namespace sluice::server
