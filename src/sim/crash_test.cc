// Lanes, log, sessions and recovery under a disk that loses power.

#include <gtest/gtest.h>

#include "sim/world.h"

namespace sluice::sim {
namespace {

WorldOptions Small(uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  options.lanes = 1 + seed % 3;
  return options;
}

// Goal:   no crash at any step of the disk loses an acknowledged write, keeps half of a write over
//         several shards, or applies one twice.
// Method: run the same seeded script again and again, cutting the power one disk operation later
//         each time, until a run ends without a cut; after each cut, boot and compare with what the
//         clients know.
// Broken on purpose: replying before the group is durable (Sendable ignoring its LSN); recovery
//         from the greatest instead of the least position; ApplyForeign before the record has its
//         LSN.
TEST(Crash, AtEveryStepOfTheDiskLosesNothingAcknowledged) {
  World::Seen seen;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    for (uint64_t cut = 1;; ++cut) {
      ASSERT_LT(cut, 5000u) << "the script takes too many steps";
      World world(Small(seed));
      const auto ran = world.Run(cut);
      ASSERT_FALSE(ran.has_value()) << *ran << " (seed " << seed << ", cut " << cut << ")";
      const bool uncut = world.powered();
      const auto checked = world.Check(0);
      ASSERT_FALSE(checked.has_value()) << *checked << " (seed " << seed << ", cut " << cut << ")";
      seen.torn_tails += world.seen().torn_tails;
      seen.runs_stored += world.seen().runs_stored;
      seen.replayed += world.seen().replayed;
      if (uncut) break;
    }
  }
  // The sweep is worth something only if it met these.
  EXPECT_GT(seen.torn_tails, 0u);
  EXPECT_GT(seen.runs_stored, 0u);
  EXPECT_GT(seen.replayed, 0u);
}

// Goal:   recovery may itself be cut off anywhere, any number of times.
// Method: cut the power in the middle of a script, then at step k of the recovery, k + 1 of the
//         next, until one gets through; for many k and places of the first cut.
TEST(Crash, DuringRecoveryIsRepeatedWithoutHarm) {
  uint64_t cuts = 0;
  for (uint64_t seed = 10; seed < 30; ++seed) {
    World world(Small(seed));
    const auto ran = world.Run(20 + seed * 7 % 60);
    ASSERT_FALSE(ran.has_value()) << *ran << " (seed " << seed << ")";
    const auto checked = world.Check(1);
    ASSERT_FALSE(checked.has_value()) << *checked << " (seed " << seed << ")";
    cuts += world.seen().cuts_in_recovery;
  }
  EXPECT_GT(cuts, 20u);
}

// Goal:   a node survives crash after crash, of process and of machine, and goes on serving in
//         between.
// Method: a longer script is cut at seeded places, checked, and continued, until it is done.
TEST(Crash, AfterCrashTheScriptGoesOn) {
  for (uint64_t seed = 100; seed < 110; ++seed) {
    WorldOptions options = Small(seed);
    options.rounds = 120;
    World world(options);
    Prng prng(seed);
    for (int life = 0; life < 12; ++life) {
      const auto ran = world.Run(life == 11 ? 0 : 5 + prng.Below(60));
      ASSERT_FALSE(ran.has_value()) << *ran << " (seed " << seed << ", life " << life << ")";
      const auto checked = world.Check(0, prng.OneIn(3) && world.powered());
      ASSERT_FALSE(checked.has_value())
          << *checked << " (seed " << seed << ", life " << life << ")";
    }
  }
}

// Goal:   a write over shards of several lanes is whole after any crash, also when a lane froze its
//         buffer between the record and its part of it.
// Method: only MSETs over two shards, three lanes, a buffer frozen as often as can be; many seeds
//         and cuts.
// Broken on purpose: a freeze while keys are held for a record that may be in the log
//         (position_holds_).
TEST(Crash, WritesOverSeveralLanesAreWhole) {
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    WorldOptions options;
    options.seed = seed;
    options.lanes = 3;
    options.buffer_bytes = 1;
    options.mix = Clients::Mix::kPairs;
    World world(options);
    const auto ran = world.Run(15 + seed % 60);
    ASSERT_FALSE(ran.has_value()) << *ran << " (seed " << seed << ")";
    const auto checked = world.Check(0);
    ASSERT_FALSE(checked.has_value()) << *checked << " (seed " << seed << ")";
  }
}

// Goal:   the state is what the log says, also where FLUSHALL runs on one lane between the record
//         of a write over several lanes and that lane's part of it.
// Method: MSETs over two shards among FLUSHALLs, all acknowledged; what the node answers then, and
//         what it answers after its process died and another replayed the log, is the same.
// Broken on purpose: a part applied though FLUSHALL's record lies behind it (ClearedBehind).
TEST(Crash, ReplayEndsWhereTheLanesWere) {
  size_t keys = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    WorldOptions options;
    options.seed = seed;
    options.lanes = 3;
    options.buffer_bytes = seed % 2 == 0 ? 1 : 1 << 20;
    options.mix = Clients::Mix::kFlushes;
    World world(options);
    const auto ran = world.Run(0);
    ASSERT_FALSE(ran.has_value()) << *ran << " (seed " << seed << ")";
    const auto before = world.Content();
    const auto restarted = world.RestartProcess();
    ASSERT_FALSE(restarted.has_value()) << *restarted << " (seed " << seed << ")";
    ASSERT_EQ(world.Content(), before) << "seed " << seed;
    keys += before.size();
  }
  EXPECT_GT(keys, 400u);
}

// Goal:   a lane's buffer is frozen in time, however many writes over several lanes overlap on it.
// Method: so many clients that some MSET is always under way, and buffers that are always due; how
//         many runs are stored, beside how many writes there are.
// Broken on purpose: FreezeWaits() always false.
TEST(Crash, OverlappingWritesDoNotKeepABufferFromTheStore) {
  WorldOptions options;
  options.lanes = 3;
  options.clients = 48;
  options.rounds = 40;
  options.buffer_bytes = 1;
  options.mix = Clients::Mix::kPairs;
  uint64_t runs = 0;
  for (options.seed = 1; options.seed <= 5; ++options.seed) {
    World world(options);
    const auto ran = world.Run(0);
    ASSERT_FALSE(ran.has_value()) << *ran << " (seed " << options.seed << ")";
    runs += world.seen().runs_stored;
  }
  EXPECT_GT(runs, 1000u);
}

}  // namespace
}  // namespace sluice::sim
