// `sluice plan`: what a load needs, with the arithmetic and its reasons.
//
// Threads:  none.
#pragma once

namespace sluice::cli {

// argv[0] is "plan". Returns the exit status: 0 done, 1 the node does not answer or a file cannot
// be written, 2 wrong usage.
int PlanMain(int argc, const char* const* argv);

}  // namespace sluice::cli
