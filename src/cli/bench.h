// `sluice bench`: sends commands at a fixed rate to any Redis server and says how long they took.
//
//   BenchMain()  the command line: options, messages, exit status.
//
// How it measures, is said in bench_run.h.
//
// Threads:  none. BenchMain takes SIGINT and SIGTERM for itself: the first ends the run in order.
#pragma once

namespace sluice::cli {

// argv[0] is "bench". Returns the exit status: 0 done, 1 a connection broke, a command was never
// answered or failed for another reason than a refusal, 2 wrong usage.
int BenchMain(int argc, const char* const* argv);

}  // namespace sluice::cli
