// The judge of histories is judged: histories that are known to be good or bad, and histories that
// are made by a register that keeps order, then spoiled.
#include "sim/linearize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/prng.h"

namespace sluice::sim {
namespace {

using Kind = Operation::Kind;

Operation Op(uint64_t session, uint64_t begin, uint64_t end, Kind kind, int64_t argument,
             std::optional<int64_t> reply = {}) {
  return {kind, argument, true, reply, session, begin, end};
}

Operation Lost(uint64_t session, uint64_t begin, uint64_t end, Kind kind, int64_t argument) {
  return {kind, argument, false, {}, session, begin, end};
}

bool Holds(const std::vector<Operation>& history, LinearizeRules rules = {}) {
  return !Linearize(history, rules).has_value();
}

// Goal:   each way in which a register or counter can lie is seen, and its honest twin is not.
// Method: pairs of small histories that differ in one reply, one time or one order.
TEST(Linearize, KnowsGoodFromBad) {
  const Operation write1 = Op(1, 1, 2, Kind::kWrite, 1);
  const Operation write2 = Op(1, 3, 4, Kind::kWrite, 2);
  EXPECT_TRUE(Holds({}));
  // A stale read; the same read while the write was under way.
  EXPECT_FALSE(Holds({write1, write2, Op(2, 5, 6, Kind::kRead, 0, 1)}));
  EXPECT_TRUE(Holds({write1, Op(1, 3, 9, Kind::kWrite, 2), Op(2, 5, 6, Kind::kRead, 0, 1)}));
  // A value out of thin air; a missing one.
  EXPECT_FALSE(Holds({write1, Op(2, 3, 4, Kind::kRead, 0, 7)}));
  EXPECT_FALSE(Holds({write1, Op(2, 3, 4, Kind::kRead, 0, std::nullopt)}));
  // New, then old again: two readers during one write.
  const Operation slow = Op(1, 3, 20, Kind::kWrite, 2);
  EXPECT_FALSE(
      Holds({write1, slow, Op(2, 5, 6, Kind::kRead, 0, 2), Op(3, 7, 8, Kind::kRead, 0, 1)}));
  EXPECT_TRUE(
      Holds({write1, slow, Op(2, 5, 6, Kind::kRead, 0, 1), Op(3, 7, 8, Kind::kRead, 0, 2)}));
  // A lost update: two increments that got the same number; a number that was left out.
  EXPECT_FALSE(Holds({Op(1, 1, 5, Kind::kAdd, 1, 1), Op(2, 2, 6, Kind::kAdd, 1, 1)}));
  EXPECT_TRUE(Holds({Op(1, 1, 5, Kind::kAdd, 1, 2), Op(2, 2, 6, Kind::kAdd, 1, 1)}));
  EXPECT_FALSE(Holds({Op(1, 1, 2, Kind::kAdd, 1, 1), Op(1, 3, 4, Kind::kAdd, 1, 3)}));
  // Two that both created the key; two that both removed it.
  EXPECT_FALSE(
      Holds({Op(1, 1, 5, Kind::kWriteIfAbsent, 1, 1), Op(2, 2, 6, Kind::kWriteIfAbsent, 2, 1)}));
  EXPECT_FALSE(Holds({write1, Op(1, 3, 6, Kind::kRemove, 0, 1), Op(2, 4, 7, Kind::kRemove, 0, 1)}));
  EXPECT_TRUE(Holds({write1, Op(1, 3, 6, Kind::kRemove, 0, 1), Op(2, 4, 7, Kind::kRemove, 0, 0)}));
  EXPECT_FALSE(Holds({write1, Op(1, 3, 6, Kind::kSwap, 5, 1), Op(2, 4, 7, Kind::kSwap, 6, 1)}));
  EXPECT_TRUE(Holds({write1, Op(1, 3, 6, Kind::kSwap, 5, 1), Op(2, 4, 7, Kind::kSwap, 6, 5)}));
}

// Goal:   a lost command may have happened or not, but not after its end, not twice, and nothing
//         behind it in its session without it.
// Method: histories with a crash, and reads after it.
TEST(Linearize, LostCommandsHappenOnceOrNever) {
  const Operation write1 = Op(1, 1, 2, Kind::kWrite, 1);
  const Operation lost2 = Lost(1, 3, 10, Kind::kWrite, 2);
  EXPECT_TRUE(Holds({write1, lost2, Op(2, 11, 12, Kind::kRead, 0, 1)}));
  EXPECT_TRUE(Holds({write1, lost2, Op(2, 11, 12, Kind::kRead, 0, 2)}));
  // What was there stays there.
  EXPECT_FALSE(
      Holds({write1, lost2, Op(2, 11, 12, Kind::kRead, 0, 1), Op(2, 13, 14, Kind::kRead, 0, 2)}));
  // A read before the crash revealed what the crash undid.
  EXPECT_FALSE(
      Holds({write1, lost2, Op(2, 5, 6, Kind::kRead, 0, 2), Op(2, 11, 12, Kind::kRead, 0, 1)}));
  // An acknowledged write is gone.
  EXPECT_FALSE(Holds({write1, Op(1, 3, 4, Kind::kWrite, 2), Op(2, 11, 12, Kind::kRead, 0, 1)}));
  // Applied twice.
  const Operation lost_add = Lost(1, 3, 10, Kind::kAdd, 1);
  EXPECT_TRUE(Holds({write1, lost_add, Op(2, 11, 12, Kind::kRead, 0, 2)}));
  EXPECT_FALSE(Holds({write1, lost_add, Op(2, 11, 12, Kind::kRead, 0, 3)}));
  // The later of two lost ones without the earlier: 1 + 20, but not 1 + 10.
  const Operation add10 = Lost(1, 3, 10, Kind::kAdd, 10), add20 = Lost(1, 4, 10, Kind::kAdd, 20);
  for (const int64_t value : {1, 11, 31}) {
    EXPECT_TRUE(Holds({write1, add10, add20, Op(2, 11, 12, Kind::kRead, 0, value)})) << value;
  }
  const std::vector<Operation> gap{write1, add10, add20, Op(2, 11, 12, Kind::kRead, 0, 21)};
  EXPECT_FALSE(Holds(gap));
  EXPECT_TRUE(Holds(gap, {.initial = {}, .lost_is_suffix = false}));
  // Other sessions are free to.
  EXPECT_TRUE(
      Holds({write1, add10, Lost(3, 4, 10, Kind::kAdd, 20), Op(2, 11, 12, Kind::kRead, 0, 21)}));
}

// Goal:   commands of one session are not reordered, though they are under way together.
// Method: a pipeline of two writes, read afterwards.
TEST(Linearize, KeepsASessionsOrder) {
  const std::vector<Operation> pipeline{Op(1, 1, 5, Kind::kWrite, 1), Op(1, 2, 6, Kind::kWrite, 2)};
  auto with = [&](int64_t value) {
    auto history = pipeline;
    history.push_back(Op(2, 7, 8, Kind::kRead, 0, value));
    return history;
  };
  EXPECT_TRUE(Holds(with(2)));
  EXPECT_FALSE(Holds(with(1)));
}

TEST(Linearize, BeginsWhereItIsTold) {
  const std::vector<Operation> read{Op(1, 1, 2, Kind::kRead, 0, 5)};
  EXPECT_TRUE(Holds(read, {.initial = 5}));
  EXPECT_FALSE(Holds(read, {.initial = 6}));
}

// Goal:   no honest history is called broken, and spoiled ones are, also with lost commands.
// Method: sessions with pipelines on one register that takes commands in a seeded order and loses
//         some at a crash; then one answered read or increment is made to say something that no
//         command could have left.
TEST(Linearize, AgreesWithARegisterThatKeepsOrder) {
  size_t spoiled = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Prng prng(seed);
    std::vector<Operation> history;
    std::map<uint64_t, std::vector<size_t>> queued;  // by session: sent and not applied
    std::optional<int64_t> value;
    uint64_t now = 1;
    const auto apply = [&](size_t i) {
      Operation& op = history[i];
      const std::optional<int64_t> before = value;
      if (op.kind == Kind::kWrite) value = op.argument;
      if (op.kind == Kind::kAdd) value = before.value_or(0) + op.argument;
      op.reply = op.kind == Kind::kAdd ? value : before;
      op.answered = !prng.OneIn(10);
      op.end = now++;
    };
    for (int step = 0; step < 200; ++step) {
      const uint64_t session = prng.Below(4);
      auto& queue = queued[session];
      if (queue.size() < 3 && prng.OneIn(2)) {
        const Kind kind = static_cast<Kind>(prng.Below(3));
        history.push_back(Op(session, now++, 0, kind, 1 + static_cast<int64_t>(prng.Below(1000))));
        queue.push_back(history.size() - 1);
      } else if (!queue.empty()) {
        apply(queue.front());
        queue.erase(queue.begin());
      }
    }
    for (auto& [session, queue] : queued) {
      for (const size_t i : queue) {
        history[i].answered = false;
        history[i].end = now;
      }
    }
    // Lost replies break a session's promise that what is lost is a suffix.
    const LinearizeRules rules{.initial = {}, .lost_is_suffix = false};
    const auto broken = Linearize(history, rules);
    ASSERT_FALSE(broken.has_value()) << *broken << " (seed " << seed << ")";
    const auto victim =
        std::find_if(history.begin() + static_cast<ptrdiff_t>(history.size() / 2), history.end(),
                     [](const Operation& op) { return op.answered && op.kind != Kind::kWrite; });
    if (victim == history.end()) continue;
    victim->reply = -5;
    ++spoiled;
    ASSERT_FALSE(Holds(history, rules)) << "seed " << seed;
  }
  EXPECT_GT(spoiled, 200u);
}

}  // namespace
}  // namespace sluice::sim
