// A fleet of few nodes with the balancer as it is, and with broken ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "sim/scale/report.h"
#include "sim/scale/run.h"

namespace sluice::sim::scale {
namespace {

constexpr size_t kNodes = 10;

// Goal:   whatever the seed, every change of the load is digested in time, what no shard cures is
//         named, no critical write is refused, and no shard leaves its region.
// Method: the script on ten nodes; with SLUICE_LONG, more seeds.
TEST(Scale, DigestsEveryChangeOfTheLoad) {
  const uint64_t seeds = std::getenv("SLUICE_LONG") ? 40 : 2;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Result result = PlayScript(seed, kNodes, rebalance::Mode::kOn);
    EXPECT_TRUE(result.good) << Table(result);
    // Nothing is left to do at the end, and it stays so.
    EXPECT_EQ(result.samples.back().jobs, 0u) << Table(result);
  }
}

// Goal:   the same fleet does not get there when the balancer is off or does not think.
// Method: off; moves that go to the busiest node; splits in the middle of the keys.
TEST(Scale, NeedsTheBalancer) {
  EXPECT_FALSE(PlayScript(1, kNodes, rebalance::Mode::kOff).good);
  const auto busiest = [](const rebalance::Survey& survey, const rebalance::Settings& settings) {
    rebalance::Decision decision = Decide(survey, settings);
    std::vector<double> writes(survey.owners.size());
    for (const auto& each : survey.shards) writes[each.owner] += each.writes.minute;
    const auto most = std::max_element(writes.begin(), writes.end());
    for (auto& each : decision.proposals) each.to = static_cast<size_t>(most - writes.begin());
    return decision;
  };
  EXPECT_FALSE(PlayScript(1, kNodes, rebalance::Mode::kOn, busiest).good);
}

TEST(Scale, IsTheSameForASeed) {
  const Result one = PlayScript(3, kNodesLeast, rebalance::Mode::kOn);
  const Result two = PlayScript(3, kNodesLeast, rebalance::Mode::kOn);
  EXPECT_EQ(Table(one), Table(two));
  EXPECT_EQ(Svg(one), Svg(two));
}

}  // namespace
}  // namespace sluice::sim::scale
