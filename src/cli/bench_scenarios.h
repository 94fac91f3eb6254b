// The scenarios that `sluice bench` knows by name.
//
// Threads:  none.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace sluice::cli {

struct BenchScenario {
  std::string_view name, what;
  std::span<const std::string_view> commands;  // as --do takes them
};

std::span<const BenchScenario> BenchScenarios();
// Null: there is none of that name.
const BenchScenario* FindBenchScenario(std::string_view name);

}  // namespace sluice::cli
