// A crash at every step of every job: of a split, a move, a merge over two lanes, a job that is
// aborted after its commit, another split and a merge on one lane, one after the other.
//
// Goal:   the map is the one from before the job or the one after it, whole; nothing acknowledged
//         is lost or doubled, under once tokens, in hashes and in projections; no file and no lent
//         row is left behind; and who asks for the job again is told what became of it.
// Method: the same seeded script again and again, the crash one step later each time, beyond its
//         end. Then a start, the rest of the errand, a power cut (what the crash had left must be
//         durable by now), another start, and every workload looks at what it was promised.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "sim/sweep_test.h"
#include "sim/world.h"

namespace sluice::sim {
namespace {

using Kind = Incident::Kind;

constexpr size_t kNotes = 60;

Scenario Script(uint64_t seed) {
  Scenario scenario = ScriptOfAll(seed);
  scenario.lives = 3;
  scenario.life_steps = 200;
  scenario.lanes = 2;
  scenario.errand = true;
  return scenario;
}

// How far the script goes with nothing in its way.
World::Seen Untouched(uint64_t seed) {
  Scenario scenario = Script(seed);
  scenario.lives = 1;
  World world(scenario, {}, 0);
  world.Run();
  EXPECT_TRUE(world.scene().held()) << *world.scene().broken() << " (seed " << seed << ")";
  EXPECT_TRUE(world.seen().errand_done);
  return world.seen();
}

// The errand with the incident at each `stride`-th step, and at each call for the topology.
void SweepErrand(Kind kind, uint64_t seed, uint64_t stride, uint64_t again) {
  const World::Seen untouched = Untouched(seed);
  const bool between = kind == Kind::kKillBetween;
  const uint64_t most = between ? untouched.steps : untouched.calls;
  ASSERT_GT(most, 20u);
  std::set<uint64_t> steps;
  for (uint64_t step = 1 + seed % stride; step <= most; step += stride) steps.insert(step);
  if (!between && again == 0) steps.insert(untouched.of_map.begin(), untouched.of_map.end());
  for (const uint64_t step : steps) {
    const auto run = [&](size_t notes) {
      auto world = std::make_unique<World>(Script(seed), Incident{kind, step, again}, notes);
      world->Run();
      return world;
    };
    const std::unique_ptr<World> world = run(0);
    ASSERT_TRUE(world->scene().held())
        << *world->scene().broken() << " (seed " << seed << ", step " << step << ")\n"
        << fmt::format("{}", fmt::join(run(kNotes)->scene().trace(), "\n"));
    ASSERT_TRUE(world->seen().errand_done) << "seed " << seed << ", step " << step;
  }
}

// Every day one seed: the range of kPlain has no projection, that of kProjected has one.
constexpr uint64_t kPlain = 1, kProjected = 15, kSeedsLong = 8;

void Sweep(Kind kind, uint64_t usual, uint64_t stride, uint64_t again = 0) {
  if (!Long()) return SweepErrand(kind, usual, kThinner * stride, again);
  for (uint64_t seed = 1; seed <= kSeedsLong; ++seed) {
    SweepErrand(kind, seed == kSeedsLong ? kProjected : seed, again == 0 ? 1 : 3, again);
  }
}

TEST(Errand, APowerCutAtAnyCallToTheDisk) {
  Sweep(Kind::kPowerCut, kProjected, 8);
}

TEST(Errand, PowerCutsInEveryRecovery) {
  Sweep(Kind::kPowerCut, kPlain, 31, 1);
}

TEST(Errand, AKillInAnyCallToTheDisk) {
  Sweep(Kind::kKill, kPlain, 16);
}

TEST(Errand, AKillBetweenAnyTwoSteps) {
  Sweep(Kind::kKillBetween, kProjected, 32);
}

TEST(Errand, AFailureOfAnyCallToTheDisk) {
  Sweep(Kind::kEio, kPlain, 32);
}

TEST(Errand, NoSpaceAtAnyCallToTheDisk) {
  Sweep(Kind::kNoSpace, kProjected, 32);
}

// Goal:   a shard that moves while a group of the log is filled has records of both epochs in it,
//         and each is replayed, and comes to projections, once.
// Method: so many clients that groups are full; no incident but the power cut at the end.
TEST(Errand, RecordsBeforeAndAfterAMoveShareAGroup) {
  for (uint64_t seed = 1; seed <= Rounds(30, 1000); ++seed) {
    Scenario scenario = Script(seed);
    std::erase_if(scenario.workloads, [](const WorkloadKind* kind) {
      return kind->name != "projected" && kind->name != "once" && kind->name != "hot";
    });
    scenario.clients = 24;
    World world(scenario, {}, 0);
    world.Run();
    ASSERT_TRUE(world.scene().held()) << *world.scene().broken() << " (seed " << seed << ")";
  }
}

}  // namespace
}  // namespace sluice::sim
