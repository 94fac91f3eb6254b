#include "cli/bench_scenarios.h"

#include <algorithm>
#include <array>

namespace sluice::cli {
namespace {

constexpr std::array<std::string_view, 1> kSet = {"SET key:{key} {value}"};
constexpr std::array<std::string_view, 1> kGet = {"GET key:{key}"};
constexpr std::array<std::string_view, 1> kIncr = {"INCR counter:{key}"};
constexpr std::array<std::string_view, 2> kMixed = {"80:GET key:{key}", "20:SET key:{key} {value}"};

constexpr std::array<BenchScenario, 4> kScenarios = {{
    {"set", "values over random keys", kSet},
    {"get", "reads of random keys", kGet},
    {"incr", "counters, random ones", kIncr},
    {"mixed", "80 % reads, 20 % writes", kMixed},
}};

}  // namespace

std::span<const BenchScenario> BenchScenarios() {
  return kScenarios;
}

const BenchScenario* FindBenchScenario(std::string_view name) {
  const auto found = std::find_if(kScenarios.begin(), kScenarios.end(),
                                  [&](const BenchScenario& each) { return each.name == name; });
  return found == kScenarios.end() ? nullptr : &*found;
}

}  // namespace sluice::cli
