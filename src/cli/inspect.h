// `sluice inspect log|store|record`: the command line of what reads a stopped node's files.
#pragma once

namespace sluice::cli {

// argv[0] is "inspect". Returns the exit status: 0 done, 1 it cannot be read, 2 wrong usage, 3
// damaged data.
int InspectMain(int argc, const char* const* argv);

}  // namespace sluice::cli
