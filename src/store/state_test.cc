#include "store/state.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>

#include "base/prng.h"
#include "store/memory_store.h"

namespace sluice::store {
namespace {

using model::Turn;

// Field rows: any bytes will do for them.
std::string Key(uint64_t n) {
  return std::string("\0\0f", 3) + "token" + std::to_string(n);
}

// Goal:   reads see the newest of active buffer, frozen buffers and store, with the turn to wait
//         for, whenever buffers freeze and runs arrive.
// Method: random writes, freezes and arrivals against a map of row and turn per key; a key whose
//         last write arrived has turn 0.
TEST(State, ReadsTheNewest) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng random(seed);
    auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), {}));
    State state(*store, seed % 3 == 0 ? State::kCacheBytes : seed % 3 * 1500);
    struct Last {
      std::string row;
      bool found = false;
      uint64_t turn = 0, run = 0;  // the run it leaves in
    };
    std::map<std::string, Last> last;
    std::deque<store::Run> runs;
    uint64_t run_now = 1, arrived = 0;
    for (uint64_t step = 1; step <= 3000; ++step) {
      const std::string key = Key(random.Below(50));
      const uint64_t what = random.Below(100);
      if (what < 40) {
        const std::string row = std::to_string(step);
        state.active().Put(key, row, Turn(step));
        last[key] = {row, true, step, run_now};
      } else if (what < 50) {
        state.active().Delete(key, Turn(step));
        last[key] = {"", false, step, run_now};
      } else if (what < 52) {
        const std::string end = Key(random.Below(50));
        state.active().ClearRange(key, end, Turn(step));
        for (int i = 0; i < 50; ++i) {
          if (Key(i) >= key && Key(i) < end) last[Key(i)] = {"", false, step, run_now};
        }
      } else if (what < 55) {
        runs.push_back(state.Freeze({{model::Lineage(1), {}, model::Lsn(step)}}));
        ++run_now;
        ASSERT_TRUE(state.active().empty());
      } else if (what < 59 && !runs.empty()) {
        ASSERT_TRUE(store->Apply(runs.front()).ok());
        if (random.OneIn(2)) {  // found in buffer and store alike in between
          std::string scratch;
          ASSERT_TRUE(state.Find(key, Tier::kMemory, &scratch).has_value());
        }
        state.Flushed(runs.front());
        runs.pop_front();
        ++arrived;
      }
      std::string scratch;
      const auto found = state.Find(key, Tier::kMemory, &scratch);
      ASSERT_TRUE(found.has_value());
      const Last& wanted = last[key];
      ASSERT_EQ(found->answer, wanted.found ? Answer::kFound : Answer::kMissing);
      if (wanted.found) {
        ASSERT_EQ(found->row, wanted.row);
      }
      ASSERT_EQ(found->turn.value, wanted.run <= arrived ? 0 : wanted.turn);
    }
  }
}

// Goal:   the store is asked once for an answer that it gave lately, be it a row or none, also when
//         a run arrives that does not have it, nor for what a run brought lately; large rows and
//         rows past the bound are asked for again.
// Method: count the questions through the hook that says what is cold.
TEST(State, KeepsWhatTheStoreAnswered) {
  int asked = 0;
  MemoryStore::Options options;
  options.cold = [&](std::string_view) { return ++asked < 0; };
  auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), options));
  auto buffer = std::make_shared<Buffer>();
  buffer->Put(Key(1), "row", Turn(1));
  buffer->Put(Key(2), std::string(RowCache::kRowBytesMax + 1, 'x'), Turn(1));
  for (int i = 100; i < 400; ++i) buffer->Put(Key(i), std::string(200, 'x'), Turn(1));
  ASSERT_TRUE(store->Apply({buffer, {}}).ok());
  State state(*store, 60000);
  std::string scratch;
  const auto asks = [&](uint64_t key) {
    const int before = asked;
    EXPECT_TRUE(state.Find(Key(key), Tier::kMemory, &scratch).has_value());
    return asked > before;
  };
  for (const uint64_t key : {1, 3}) {
    EXPECT_TRUE(asks(key));
    EXPECT_FALSE(asks(key));
  }
  EXPECT_TRUE(asks(2) && asks(2));
  state.active().Put(Key(4), "of a run", Turn(1));
  const store::Run run = state.Freeze({});
  ASSERT_TRUE(store->Apply(run).ok());
  state.Flushed(run);
  for (const uint64_t key : {1, 3, 4}) EXPECT_FALSE(asks(key)) << key;
  for (int i = 100; i < 400; ++i) EXPECT_TRUE(asks(i));
  for (const uint64_t key : {1, 4}) {
    EXPECT_TRUE(asks(key)) << "300 rows of 200 bytes are past the bound";
    EXPECT_FALSE(asks(key));
  }
  state.Keep(Key(5), "read elsewhere");
  EXPECT_FALSE(asks(5));
  EXPECT_EQ(scratch, "read elsewhere");
}

// Goal:   a cold key stays cold through the state unless a buffer knows it.
TEST(State, PassesColdOn) {
  MemoryStore::Options options;
  options.cold = [](std::string_view) { return true; };
  auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), options));
  State state(*store);
  std::string scratch;
  EXPECT_EQ(state.Find("k", Tier::kMemory, &scratch)->answer, Answer::kCold);
  EXPECT_EQ(state.Find("k", Tier::kDisk, &scratch)->answer, Answer::kMissing);
  state.active().Put("k", "row", Turn(7));
  EXPECT_EQ(state.Find("k", Tier::kMemory, &scratch)->answer, Answer::kFound);
}

// Goal:   a store whose memory rarely has an answer is rarely asked there, and often again once it
//         has.
TEST(State, AsksWhereAnAnswerIsLikely) {
  bool cold = true;
  int asked = 0;
  MemoryStore::Options options;
  options.cold = [&](std::string_view) { return ++asked > 0 && cold; };
  auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), options));
  State state(*store);
  std::string scratch;
  int answered = 0;
  const auto find = [&](int from, int to) {
    asked = answered = 0;
    for (int i = from; i < to; ++i) {
      answered += state.Find(Key(i), Tier::kMemory, &scratch)->answer != Answer::kCold ? 1 : 0;
    }
  };
  find(0, 1000);
  EXPECT_LT(asked, 100);
  EXPECT_GT(asked, 50);
  EXPECT_EQ(answered, 0);
  cold = false;
  find(1000, 2000);
  EXPECT_GT(answered, 800);
  EXPECT_EQ(asked, answered);
}

// Goal:   bytes() is what writes took until their run has arrived, and an empty freeze leaves
//         nothing behind.
TEST(State, CountsBytesUntilTheyArrive) {
  auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), {}));
  State state(*store);
  const size_t empty = state.bytes();
  const store::Run nothing = state.Freeze({{model::Lineage(1), {}, model::Lsn(1)}});
  EXPECT_EQ(nothing.buffer, nullptr);
  EXPECT_EQ(nothing.positions.size(), 1u);
  EXPECT_EQ(state.frozen(), 0u);
  state.Flushed(nothing);
  state.active().Put("k", std::string(100000, 'x'), Turn(1));
  EXPECT_GE(state.bytes(), empty + 100000);
  const store::Run run = state.Freeze({});
  EXPECT_GE(state.bytes(), empty + 100000);
  EXPECT_EQ(state.frozen(), 1u);
  state.Flushed(run);
  EXPECT_EQ(state.bytes(), empty);
  EXPECT_EQ(state.frozen(), 0u);
}

// Goal:   buffers and cursor of a snapshot together hold every row, newest first, whatever
//         happens after.
TEST(State, SnapshotMissesNothing) {
  auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), {}));
  State state(*store);
  std::vector<store::Run> runs;
  for (uint64_t i = 1; i <= 3; ++i) {
    state.active().Put(Key(i), "row", Turn(i));
    state.active().Put(Key(0), std::to_string(i), Turn(i));
    runs.push_back(state.Freeze({}));
  }
  ASSERT_TRUE(store->Apply(runs[0]).ok());
  state.Flushed(runs[0]);
  state.active().Put(Key(9), "newest", Turn(4));
  const Snapshot snapshot = state.Snap();
  for (int i : {1, 2}) {
    ASSERT_TRUE(store->Apply(runs[i]).ok());
    state.Flushed(runs[i]);
  }
  ASSERT_EQ(snapshot.buffers.size(), 3u);
  EXPECT_EQ(snapshot.buffers[0]->Find(Key(9)).row, "newest");
  EXPECT_EQ(snapshot.buffers[1]->Find(Key(0)).row, "3");
  EXPECT_EQ(snapshot.buffers[2]->Find(Key(0)).row, "2");
  snapshot.cursor->Seek(Key(0));
  ASSERT_TRUE(snapshot.cursor->Valid());
  EXPECT_EQ(snapshot.cursor->row(), "1");
}

}  // namespace
}  // namespace sluice::store
