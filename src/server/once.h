// Once: what SLUICE ONCE was asked to run, and how its write is recognised when it comes again.
#pragma once

#include <string_view>

#include "command/command.h"
#include "shard/shards.h"

namespace sluice::server {

inline constexpr size_t kOnceTokenBytesMax = 1024;  // of a token or a producer's name

struct OnceRequest {
  shard::Once once;        // without its user
  command::Args inner;     // the command to run
  std::string_view error;  // why there is none; empty: all is well
};

// `args` is SLUICE ONCE token COMMAND … or SLUICE ONCE @producer seq COMMAND …. Views point into
// it.
OnceRequest ReadOnce(command::Args args);

// XXH3-64 over the lower-case name and the arguments, each behind its length as 8 bytes, least
// first.
uint64_t DigestOf(command::Args args);

}  // namespace sluice::server
