// BenchPlan: what a bench sends, when, and over how many connections.
//
// A plan has streams: commands with a schedule, keys and connections of their own, and a class if
// the server is to know one. Most scenarios have one stream.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/bench_command.h"
#include "cli/bench_keys.h"
#include "cli/bench_schedule.h"

namespace sluice::cli {

inline constexpr size_t kBenchConnectionsMax = 10'000;
inline constexpr size_t kBenchPipelineMax = 1'024;
inline constexpr size_t kBenchStepsMax = 100;
inline constexpr double kBenchScaleMax = 1'000;
inline constexpr uint64_t kBenchDrainSeconds = 10;  // at most, unless said

struct BenchStream {
  std::string name;
  std::string priority = {};  // told to the server with SLUICE PRIORITY; "": nothing
  std::vector<BenchCommand> commands = {};
  BenchKeyShape keys = {};
  std::vector<BenchPhase> phases = {};
  double rate = 0;  // of phases at 1x
  size_t connections = 1;
};

struct BenchPlan {
  std::string name;
  std::vector<BenchStream> streams = {};
  uint64_t rate = 0;      // commands a second of all streams at 1x
  uint64_t own_rate = 0;  // that of the scenario
  uint64_t seconds = 0;
  size_t connections = 0;
  size_t pipeline = 1;  // commands under way on one connection at most
  uint64_t seed = 1;
  uint64_t sample_ms = 1'000;
  uint64_t drain_us = 0;  // after the run, for what is due and did not go out yet
  bool counts = false;    // its counters are read before and after
  std::string note = {};  // what whoever runs it may not expect
};

// The words of the command line.
struct BenchOptions {
  std::string scenario = {};
  std::vector<std::string> commands = {};  // of --do
  std::optional<uint64_t> rate = {};
  double scale = 1;
  std::vector<double> steps = {};  // times the rate, one after the other
  std::optional<uint64_t> seconds = {};
  size_t connections = 50;
  size_t pipeline = 1;
  std::optional<uint64_t> keys = {};
  std::optional<size_t> value_bytes = {};
  uint64_t seed = 1;
  uint64_t sample_ms = 1'000;
  std::optional<uint64_t> drain_seconds = {};
};

// "0.5,1,2".
//   kInvalid  one of them is no number of times that there may be, or there are too many.
Result<std::vector<double>> ParseBenchSteps(std::string_view text);

//   kInvalid  there is no such plan; the message says why.
Result<BenchPlan> MakeBenchPlan(const BenchOptions& options);

}  // namespace sluice::cli
