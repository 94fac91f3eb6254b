#include "shard/turns.h"

#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"

namespace sluice::shard {
namespace {

// Goal:   a reply waits for exactly what it looked at: never less, and nothing once that is
//         durable.
// Method: random turns with and without records, foreign records and durable marks, against a model
//         that remembers for each turn the greatest LSN that it or a turn before it depends on.
// Broken: GateOf answering a later turn's LSN for a durable turn; End forgetting the floor.
TEST(Turns, GateOfAgreesWithAModel) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Prng prng(seed);
    Turns turns;
    std::map<uint64_t, uint64_t> needs;  // by turn
    uint64_t lsn = 0, durable = 0, floor = 0;
    for (int step = 0; step < 400; ++step) {
      if (prng.OneIn(4)) {
        lsn += 1 + prng.Below(3);
        turns.CoverForeign(model::Lsn(lsn));
        floor = lsn;
      }
      const bool writes = prng.OneIn(2);
      if (writes) floor = lsn += 1 + prng.Below(5);
      const uint64_t turn = turns.current().value;
      EXPECT_TRUE(turns.GateOf(turns.current()).this_turn);
      EXPECT_EQ(turns.End(writes ? model::Lsn(lsn) : model::Lsn()).value, floor);
      needs[turn] = floor;
      if (prng.OneIn(3)) {
        durable += prng.Below(lsn - durable + 1);
        turns.Durable(model::Lsn(durable));
      }
      const uint64_t asked = 1 + prng.Below(turn);
      const Gate gate = turns.GateOf(model::Turn(asked));
      EXPECT_FALSE(gate.this_turn);
      EXPECT_EQ(gate.lsn.value, needs[asked] > durable ? needs[asked] : 0)
          << "turn " << asked << " of " << turn << ", seed " << seed;
    }
    EXPECT_EQ(turns.GateOf(model::Turn(0)).lsn.value, 0u);  // what recovery brought is durable
  }
}

}  // namespace
}  // namespace sluice::shard
