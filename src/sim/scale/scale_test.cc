// A fleet of few nodes with the balancer as it is, and with broken ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "sim/scale/report.h"
#include "sim/scale/run.h"

namespace sluice::sim::scale {
namespace {

// Goal:   whatever the seed, every change of the load is digested in time, what no shard cures is
//         named, no critical write is refused, and no shard leaves its region; and a seed is a run.
// Method: the script on few nodes, twice; with SLUICE_LONG, more nodes and seeds.
TEST(Scale, DigestsEveryChangeOfTheLoad) {
  const bool many = std::getenv("SLUICE_LONG") != nullptr;
  for (uint64_t seed = 1; seed <= (many ? 40 : 1); ++seed) {
    const size_t nodes = many ? kNodesLeast + seed % 20 : kNodesLeast;
    const Result result = PlayScript(seed, nodes, rebalance::Mode::kOn);
    EXPECT_TRUE(result.good) << Table(result);
    const Result again = PlayScript(seed, nodes, rebalance::Mode::kOn);
    EXPECT_EQ(Table(again), Table(result));
    EXPECT_EQ(Svg(again), Svg(result));
  }
}

// Goal:   the same fleet does not get there when the balancer is off or does not think.
// Method: off; moves that go to the busiest node.
TEST(Scale, NeedsTheBalancer) {
  EXPECT_FALSE(PlayScript(1, kNodesLeast, rebalance::Mode::kOff).good);
  const auto busiest = [](const rebalance::Survey& survey, const rebalance::Settings& settings) {
    rebalance::Decision decision = Decide(survey, settings);
    std::vector<double> writes(survey.owners.size());
    for (const auto& each : survey.shards) writes[each.owner] += each.writes.minute;
    const auto most = std::max_element(writes.begin(), writes.end());
    for (auto& each : decision.proposals) each.to = static_cast<size_t>(most - writes.begin());
    return decision;
  };
  EXPECT_FALSE(PlayScript(1, kNodesLeast, rebalance::Mode::kOn, busiest).good);
}

}  // namespace
}  // namespace sluice::sim::scale
