// `sluice shard`: the shards of a running node, for people: listed, their heat drawn, and jobs that
// split, merge and move them.
#pragma once

namespace sluice::cli {

// argv[0] is "shard". Returns the exit status: 0 done, 1 it failed, 2 wrong usage.
int ShardMain(int argc, const char* const* argv);

}  // namespace sluice::cli
