// The scenarios that `sluice bench` knows by name.
//
// Threads:  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cli/bench_keys.h"

namespace sluice::cli {

struct BenchStreamSpec {
  std::string_view name;
  std::string_view priority = {};              // a class, or nothing
  uint64_t weight = 1;                         // its part of the rate
  uint64_t lines = weight;                     // and of the connections
  std::span<const std::string_view> commands;  // as --do takes them
  BenchKeyShape keys = {};
};

struct BenchScenario {
  std::string_view name = {}, what = {};
  std::span<const BenchStreamSpec> streams = {};
  uint64_t rate;  // unless --rate says otherwise, as are the next two
  uint64_t keys;
  size_t value_bytes;
  bool bursts = false;           // BenchBursts() instead of an even rate
  std::string_view config = {};  // the keyspaces that it is meant for
  uint64_t seconds = 10;         // unless --seconds says otherwise
};

std::span<const BenchScenario> BenchScenarios();
// Null: there is none of that name.
const BenchScenario* FindBenchScenario(std::string_view name);

}  // namespace sluice::cli
