#include "project/seeder.h"

#include <gtest/gtest.h>

#include "project/kit_test.h"
#include "project/projector.h"

namespace sluice::project {
namespace {

// The road into a test node's state. What it is told to hold outlives a process; what is under way
// is carried out in part, or later, or not at all.
class TestRoad final : public SeedWriter {
 public:
  TestRoad(TestNode& node, Prng& prng) : node_(node), prng_(prng) {}

  void Hold() override { held = true; }
  Status LetGo() override {
    if (prng_.OneIn(3)) return Fail(Code::kIo, "the list cannot be written");
    held = false;
    return Ok();
  }
  void Begin(const std::vector<Words>& writes) override {
    ASSERT_FALSE(under_way_);
    under_way_ = writes;
    outcome_ = {};
  }
  std::optional<Outcome> Take() override {
    EXPECT_TRUE(under_way_);
    size_t some = prng_.Below(5);
    for (; next_ < under_way_->size() && some > 0; ++next_, --some) {
      if (prng_.OneIn(20) && !outcome_.at) {
        outcome_.at = next_;
        outcome_.error = {Code::kUnavailable, "busy"};
      } else {
        WriteOne((*under_way_)[next_]);
      }
    }
    if (next_ < under_way_->size()) return std::nullopt;
    Forget();
    return outcome_;
  }
  void BeginStore() override { stored_ = false; }
  bool Stored() const override {
    if (!stored_ && prng_.OneIn(3)) {
      node_.StoreAll();
      stored_ = true;
    }
    return stored_;
  }
  // The process ends.
  void Forget() {
    under_way_.reset();
    next_ = 0;
  }

  bool held = true;

 private:
  void WriteOne(const Words& words) {
    if (node_.rows.contains(words[1])) {
      ++outcome_.there;
      return;
    }
    MemoryRow row;
    row.is_hash = words[0] == "HSET";
    if (!row.is_hash) row.value = words[2];
    for (size_t i = 2; row.is_hash && i + 1 < words.size(); i += 2) {
      row.fields[words[i]] = words[i + 1];
    }
    node_.Put(words[1], row);
    ++outcome_.written;
  }

  TestNode& node_;
  Prng& prng_;
  std::optional<std::vector<Words>> under_way_;
  size_t next_ = 0;
  Outcome outcome_;
  mutable bool stored_ = false;
};

MemorySink::Fate Draw(Prng& prng) {
  return prng.OneIn(5) ? static_cast<MemorySink::Fate>(1 + prng.Below(3)) : MemorySink::Fate::kDone;
}

// Goal:   rows of a sink are in the state before anybody writes, each once; keys that are there
//         win; no row is written that is as it should be; from then on the sink is the state.
// Method: random rows and keys; a sink that is away, loses calls, or carries them out without
//         saying so; a state that takes some, later; a process that ends anywhere; seeds.
TEST(Projector, SeedsTheStateHoweverTheSinkFails) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TestNode node(seed);
    Prng prng(~seed);
    for (uint64_t i = prng.Below(10); i > 0; --i) node.WriteAny(30);
    if (prng.OneIn(2)) node.StoreAll();
    auto medium = std::make_shared<MemorySink::Medium>();
    for (uint64_t i = 1 + prng.Below(25); i > 0; --i) {
      MemoryRow& row = medium->rows["likes:" + std::to_string(prng.Below(30))];
      row = {std::to_string(prng.Below(1000)), {}, false};
      if (prng.OneIn(3)) row = {"", {{"a", "1"}, {"b", row.value}, {"c", "0"}, {"e", "5"}}, true};
    }
    Rows wanted = medium->rows;
    for (const auto& [key, row] : node.rows) wanted[key] = row;
    TestRoad road(node, prng);
    MemorySink::Options options;
    options.seeds = true;
    options.fate = [&prng] { return Draw(prng); };
    bool client_wrote = false;
    options.poison = [&](const Change& change) {
      Rows rows = medium->rows;
      ApplyChange(change, rows);
      EXPECT_TRUE(client_wrote || rows != medium->rows) << change.key;
      return std::string();
    };
    std::unique_ptr<MemorySink> sink;
    std::unique_ptr<Projector> projector;
    Source source = node.source();
    source.seed = &road;
    const auto restart = [&] {
      road.Forget();
      projector.reset();
      sink = std::make_unique<MemorySink>(medium, options);
      projector =
          std::make_unique<Projector>("likes_pg", source, *sink, node.world.clock,
                                      Pace{.rows_max = 1 + prng.Below(40), .every_us = 0}, false);
    };
    restart();
    bool caught_up = false;
    uint64_t writes = 100;
    for (int i = 0; i < 5'000 && !caught_up; ++i) {
      const uint64_t next = projector->Step(), now = node.world.clock.MonotonicUs();
      if (next > now) node.world.clock.Advance(next - now);
      const Report report = projector->report();
      ASSERT_NE(report.state, State::kBroken) << report.why;
      if (i < 300 && prng.OneIn(40)) restart();
      // Else a start would seed anew, on top of what clients wrote.
      ASSERT_TRUE(road.held || !medium->position.empty()) << "seed " << seed;
      if (!road.held && writes > 0) {
        if (!client_wrote) {
          ASSERT_EQ(node.rows, wanted) << "seed " << seed;
        }
        client_wrote = true;
        node.WriteAny(30);
        --writes;
      }
      caught_up =
          writes == 0 && report.state == State::kRunning && report.lag_bytes == 0 && i > 300;
    }
    ASSERT_TRUE(caught_up) << "seed " << seed << ": " << projector->report().why;
    ASSERT_EQ(medium->rows, node.rows) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::project
