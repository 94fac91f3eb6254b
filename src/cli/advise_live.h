// Live sampled writes for advice: the keys that a running node has sampled, second by second, as
// rows of their segments.
//
// Keys of a keyspace with a template have its segments as columns; those of `default`, which has
// none, what stands between colons: part1, part2, …
//
// Threads:  none.
// Bounds:   ends after `seconds` and one answer more, whatever the node does.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/advice.h"
#include "cli/client.h"
#include "env/env.h"

namespace sluice::cli {

struct LiveOptions {
  Address http;          // of the node's HTTP face
  std::string keyspace;  // empty: the one with the most samples
  unsigned seconds = 10;
  AdviceOptions advice;
};

//   kIo           the node does not answer.
//   kInvalid      it refuses, the message says why; or a column or the keyspace that the options
//                 name is none.
//   kUnavailable  nothing was written meanwhile to the keyspace.
Result<Advice> AdviseLive(const LiveOptions& options, env::Clock& clock);

}  // namespace sluice::cli
