// Whole nodes under a disk that fails: sweeps over every call to it, and some seeds of everything.
//
// Broken on purpose, and what failed then: docs/testing.md has the table.
#include <gtest/gtest.h>

#include "sim/sweep_test.h"
#include "sim/world.h"

namespace sluice::sim {
namespace {

const WorkloadKind* Workload(std::string_view name) {
  for (const WorkloadKind& kind : AllWorkloads()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

Scenario Script(uint64_t seed) {
  Scenario scenario = ScriptOfAll(seed);
  scenario.lives = 1;
  scenario.life_steps = 400;
  return scenario;
}

struct Sweep {
  uint64_t runs = 0, failed_starts = 0, torn_tails = 0, rewritten_tails = 0, runs_stored = 0,
           replayed = 0, log_failures = 0, folded = 0;

  void Add(const World::Seen& seen) {
    ++runs;
    failed_starts += seen.failed_starts;
    torn_tails += seen.torn_tails;
    rewritten_tails += seen.rewritten_tails;
    runs_stored += seen.runs_stored;
    replayed += seen.replayed;
    log_failures += seen.log_failures;
    folded += seen.folded;
  }
};

// Runs the script of each seed with the incident at one call to the disk later each time, until a
// run ends before it; every `stride`-th call, from an offset that the seed gives.
void SweepCalls(Incident::Kind kind, uint64_t seeds, uint64_t stride, uint64_t again,
                Sweep* sweep) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    for (uint64_t call = 1 + seed % stride;; call += stride) {
      ASSERT_LT(call, 50'000u) << "the script makes too many calls";
      World world(Script(seed), {kind, call, again}, 0);
      world.Run();
      ASSERT_TRUE(world.scene().held())
          << *world.scene().broken() << " (seed " << seed << ", call " << call << ")";
      sweep->Add(world.seen());
      if (world.seen().calls < call) break;
    }
  }
}

// Goal:   a power cut at any call to the disk loses nothing acknowledged, keeps no half of a write
//         over several shards, applies nothing twice and reveals nothing that it undoes.
// Method: the same seeded script again and again, the power cut one call later each time; then a
//         start, and every workload looks at what it was promised.
TEST(Crash, APowerCutAtAnyCallToTheDisk) {
  Sweep sweep;
  SweepCalls(Incident::Kind::kPowerCut, Rounds(5, 100), 1, 0, &sweep);
  // The sweep is worth something only if it met these.
  EXPECT_GT(sweep.torn_tails, 0u);
  EXPECT_GT(sweep.rewritten_tails, 0u);
  EXPECT_GT(sweep.runs_stored, 0u);
  EXPECT_GT(sweep.replayed, 0u);
  EXPECT_GT(sweep.folded, 0u);
}

// Goal:   writes that became one record are there after a crash as they were answered: each once,
//         under whatever token it came; and each arrives once in a projection that is told deltas.
// Method: so many clients that add to a few keys that most of their writes share a record; a power
//         cut at one call to the disk after the other.
TEST(Crash, FoldedWritesCountOnce) {
  Sweep sweep;
  uint64_t calls = 0;
  for (uint64_t seed = 1; seed <= Rounds(60, 2000); ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.workloads = {Workload("hot"), Workload("once"), Workload("projected")};
    scenario.clients = 24;
    scenario.lives = 3;
    scenario.life_steps = 1500;
    scenario.lanes = 1 + seed % 2;
    World world(scenario, {Incident::Kind::kPowerCut, 15 + seed % 60, 0}, 0);
    world.Run();
    ASSERT_TRUE(world.scene().held()) << *world.scene().broken() << " (seed " << seed << ")";
    sweep.Add(world.seen());
    calls += world.seen().calls;
  }
  EXPECT_GT(sweep.folded, calls);  // several in each sync
}

// Goal:   recovery may itself be cut off anywhere, any number of times.
// Method: the same, and the power fails again in each start that follows, one call later each time,
//         until one gets through.
TEST(Crash, PowerCutsInEveryRecovery) {
  Sweep sweep;
  SweepCalls(Incident::Kind::kPowerCut, Rounds(2, 50), Long() ? 1 : 5, 1, &sweep);
  EXPECT_GT(sweep.failed_starts, sweep.runs);
}

// Goal:   a call that fails with EIO is never taken for one that succeeded: what waits is in doubt,
//         the node stops, and starts again without loss, also if the start fails in the same way.
// Method: as above, with a failure at each call instead of the cut.
TEST(Crash, AFailureOfAnyCallToTheDisk) {
  Sweep sweep;
  SweepCalls(Incident::Kind::kEio, Rounds(3, 100), 1, 0, &sweep);
  EXPECT_GT(sweep.log_failures, 0u);
  SweepCalls(Incident::Kind::kEio, Rounds(2, 50), Long() ? 1 : 5, 1, &sweep);
  EXPECT_GT(sweep.failed_starts, 0u);
}

// Goal:   a disk that is full for one call is lived through in place, or by a start.
// Method: as above, with ENOSPC.
TEST(Crash, NoSpaceAtAnyCallToTheDisk) {
  Sweep sweep;
  SweepCalls(Incident::Kind::kNoSpace, Rounds(3, 100), 1, 0, &sweep);
  SweepCalls(Incident::Kind::kNoSpace, Rounds(2, 50), Long() ? 1 : 5, 1, &sweep);
}

// Goal:   a write over shards of several lanes is whole after any crash, also when a lane froze its
//         buffer between the record and its part of it.
// Method: only rings, and many short lives that end in a power cut.
// Broken on purpose: a freeze while keys are held for a record that may be in the log
//         (position_holds_).
TEST(Crash, WritesOverSeveralLanesAreWhole) {
  for (uint64_t seed = 1; seed <= Rounds(300, 10'000); ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.workloads = {Workload("rings")};
    scenario.lives = 3;
    scenario.life_steps = 400;
    scenario.lanes = 3;
    scenario.buffer_bytes = 1;
    World world(scenario, {Incident::Kind::kPowerCut, 15 + seed % 60, 0}, 0);
    world.Run();
    ASSERT_TRUE(world.scene().held()) << *world.scene().broken() << " (seed " << seed << ")";
  }
}

// Goal:   the state is what the log says, also where FLUSHALL runs on one lane between the record
//         of a write over several lanes and that lane's part of it.
// Method: rings are written among FLUSHALLs, whose outcome over several lanes they do not know;
//         each check compares what the node answers with what it answers after a restart.
// Broken on purpose: a part applied though FLUSHALL's record lies behind it (ClearedBehind).
TEST(Crash, ReplayEndsWhereTheLanesWere) {
  uint64_t checks = 0;
  for (uint64_t seed = 1; seed <= Rounds(200, 10'000); ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.workloads = {Workload("clears")};
    scenario.lives = 4;
    scenario.life_steps = 300;
    scenario.lanes = 3;
    scenario.buffer_bytes = seed % 2 == 0 ? 1 : 1 << 20;
    World world(scenario, {}, 0);
    world.Run();
    ASSERT_TRUE(world.scene().held()) << *world.scene().broken() << " (seed " << seed << ")";
    checks += world.seen().replay_checks;
  }
  EXPECT_GT(checks, Rounds(200, 10'000) / 2);
}

// Goal:   a lane's buffer is frozen in time, however many writes over several lanes overlap on it.
// Method: so many clients that some ring is always being written; how many runs are stored.
// Broken on purpose: FreezeWaits() always false.
TEST(Crash, OverlappingWritesDoNotKeepABufferFromTheStore) {
  uint64_t runs = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.workloads.assign(16, Workload("rings"));
    scenario.clients = 48;
    scenario.lives = 1;
    scenario.life_steps = 20'000;
    scenario.lanes = 3;
    scenario.buffer_bytes = 1;
    World world(scenario, {}, 0);
    world.Run();
    ASSERT_TRUE(world.scene().held()) << *world.scene().broken() << " (seed " << seed << ")";
    runs += world.seen().runs_stored;
  }
  EXPECT_GT(runs, 1000u);
}

// Goal:   the same seed is the same run, so that a failure can be repeated.
// Method: two runs of a seed with every fault; they end at the same call to the disk.
TEST(Crash, TheSameSeedIsTheSameRun) {
  Scenario scenario = Script(77);
  for (const FaultKind& kind : AllFaults()) scenario.faults.push_back(&kind);
  scenario.lives = 5;
  scenario.life_steps = 600;
  World one(scenario, {}, 0), other(scenario, {}, 60);
  one.Run();
  other.Run();
  EXPECT_TRUE(one.scene().held()) << *one.scene().broken();
  EXPECT_EQ(one.disk_calls(), other.disk_calls());
  EXPECT_EQ(one.scene().broken(), other.scene().broken());
}

}  // namespace
}  // namespace sluice::sim
