#include "project/collapser.h"

#include <gtest/gtest.h>

#include "project/change.h"
#include "project/kit_test.h"

namespace sluice::project {
namespace {

// All effects of the node's log, into one collapser after the other.
class Walk {
 public:
  explicit Walk(TestNode& node) : node_(node), reader_(node.log.Read(model::Lsn(1)).value()) {}

  // Up to `records` more; empty at the end.
  std::vector<Change> Next(size_t records) {
    Collapser collapser(node_.keyspace);
    std::vector<model::RecordPart> parts;
    std::vector<model::Field> fields;
    while (records-- > 0) {
      const log::GroupView* group = reader_->Next().value();
      if (group == nullptr) break;
      Reader bytes(group->batches[0].bytes);
      EXPECT_TRUE(model::ReadRecord(bytes, &parts));
      Reader effects(parts[0].effects);
      model::Effect effect;
      while (!effects.done()) {
        EXPECT_TRUE(model::ReadEffect(effects, &effect, &fields));
        if (effect.keyspace == node_.keyspace.id) collapser.Add(effect, {}, 1);
      }
    }
    return collapser.Take();
  }

 private:
  TestNode& node_;
  std::unique_ptr<log::Reader> reader_;
};

// Goal:   changes of any stretches of writes end in the rows that the writes end in.
// Method: random writes, cut into stretches of random size; applied in order to a table.
TEST(Collapser, AnyStretchesEndInTheSameRows) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    TestNode node(seed);
    for (int i = 0; i < 150; ++i) node.WriteAny(4);
    Walk walk(node);
    Rows rows;
    Prng prng(seed);
    for (int i = 0; i < 200; ++i) {
      for (const Change& change : walk.Next(prng.Below(20))) ApplyChange(change, rows);
    }
    ASSERT_EQ(rows, node.rows) << "seed " << seed;
  }
}

// Goal:   two changes of a key merged are what they are one after the other.
// Method: the same stretches, but neighbours merged by key before they are applied.
TEST(Collapser, MergedChangesAreWhatBothWere) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    TestNode node(seed);
    for (int i = 0; i < 150; ++i) node.WriteAny(3);
    Walk walk(node);
    Rows rows;
    Prng prng(seed);
    std::map<std::string, Change> held;
    for (int i = 0; i < 200; ++i) {
      for (Change& change : walk.Next(prng.Below(8))) {
        const auto [at, is_new] = held.try_emplace(change.key, change);
        if (!is_new) MergeChange(at->second, std::move(change));
      }
      if (!prng.OneIn(3)) continue;
      for (const auto& [key, change] : held) ApplyChange(change, rows);
      held.clear();
    }
    for (const auto& [key, change] : held) ApplyChange(change, rows);
    ASSERT_EQ(rows, node.rows) << "seed " << seed;
  }
}

// Goal:   increments alone are one change with their sum, and anything else between them ends that.
// Method: increments; then a value before, between and behind them.
TEST(Collapser, SumsIncrements) {
  TestNode node(1);
  for (int i = 1; i <= 100; ++i) node.Increment("likes:1", i);
  std::vector<Change> changes = Walk(node).Next(1000);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_TRUE(changes[0].added);
  EXPECT_EQ(changes[0].delta, 5050);
  EXPECT_EQ(changes[0].value, "5050");
  EXPECT_EQ(changes[0].writes, 100u);
  EXPECT_EQ(changes[0].segments, std::vector<std::string>{"1"});
  model::Effect put = node.Effect(model::EffectKind::kPutValue, "likes:1");
  put.value = "7";
  node.Write({put}, node.ShardOf("likes:1"));
  node.rows["likes:1"].value = "7";
  node.Increment("likes:1", 1);
  changes = Walk(node).Next(1000);
  EXPECT_FALSE(changes[0].added);
  EXPECT_EQ(changes[0].delta, 0);
  EXPECT_EQ(changes[0].value, "8");
}

// Goal:   deltas whose sum no number holds are never passed for a sum.
// Method: a counter that goes from one end to the other in three steps.
TEST(Collapser, KnowsASumThatDoesNotFit) {
  TestNode node(1);
  constexpr int64_t kFar = int64_t{6} << 60;
  node.Increment("likes:1", -kFar);
  Walk(node).Next(1);
  Walk walk(node);
  walk.Next(1);
  node.Increment("likes:1", kFar);
  node.Increment("likes:1", kFar);
  const std::vector<Change> changes = walk.Next(10);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_FALSE(changes[0].added);
  EXPECT_EQ(changes[0].value, std::to_string(kFar));
}

// Goal:   a field that is written again and again in one batch takes no more memory for it.
// Method: many increments of one field; what is held stays small, and the result is their sum.
TEST(Collapser, HotFieldsStaySmall) {
  TestNode node(1);
  Collapser collapser(node.keyspace);
  model::Effect effect = node.Effect(model::EffectKind::kAddField, "likes:1");
  effect.value = "n";
  effect.delta = 1;
  effect.count = 1;
  for (int i = 1; i <= 10'000; ++i) {
    effect.number = i;
    collapser.Add(effect, {}, 1);
  }
  const std::vector<Change> changes = collapser.Take();
  ASSERT_EQ(changes.size(), 1u);
  ASSERT_EQ(changes[0].fields.size(), 1u);
  EXPECT_LT(changes[0].fields.capacity(), 1000u);
  EXPECT_TRUE(changes[0].whole);
  EXPECT_TRUE(changes[0].fields[0].added);
  EXPECT_EQ(changes[0].fields[0].delta, 10'000);
}

}  // namespace
}  // namespace sluice::project
