// `sluice projection`: the projections of a running node, for people: listed, paused, resumed,
// rebuilt, and what their sinks refused.
#pragma once

namespace sluice::cli {

// argv[0] is "projection". Returns the exit status: 0 done, 1 it failed, 2 wrong usage.
int ProjectionMain(int argc, const char* const* argv);

}  // namespace sluice::cli
