#include "project/projector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/kit_test.h"

namespace sluice::project {
namespace {

using testing::HasSubstr;

// A projection of a test node into a sink in memory, whose process can end at any step.
class Bench {
 public:
  explicit Bench(TestNode& node, MemorySink::Options options = {}, Pace pace = {},
                 bool adds = false)
      : node_(node), options_(std::move(options)), pace_(pace), adds_(adds) {
    options_.adds = adds;
    Restart();
  }

  void Restart() {
    projector_.reset();
    sink_ = std::make_unique<MemorySink>(medium, options_);
    projector_ = std::make_unique<Projector>("likes_pg", node_.source(), *sink_, node_.world.clock,
                                             pace_, adds_);
  }
  Projector& projector() { return *projector_; }

  // One step, and the time passes that it asks for.
  void Step() {
    const uint64_t next = projector_->Step(), now = node_.world.clock.MonotonicUs();
    if (next > now) node_.world.clock.Advance(next - now);
  }
  // Until it has all that was written, or `steps` are over.
  bool CatchUp(size_t steps = 5'000) {
    while (steps-- > 0) {
      Step();
      const Report report = projector_->report();
      if (report.state == State::kRunning && report.lag_bytes == 0) return true;
      if (report.state == State::kBroken) return false;
    }
    return false;
  }

  std::shared_ptr<MemorySink::Medium> medium = std::make_shared<MemorySink::Medium>();
  bool away = false;  // read by sinks that can be

 private:
  TestNode& node_;
  MemorySink::Options options_;
  const Pace pace_;
  const bool adds_;
  std::unique_ptr<MemorySink> sink_;
  std::unique_ptr<Projector> projector_;
};

// A log of which a trim goes on just before it is read the `moment`th time.
class TrimmedUnderWay final : public log::Log {
 public:
  TrimmedUnderWay(log::Log& log, model::Lsn below, uint64_t moment)
      : log_(log), below_(below), moment_(moment) {}

  Result<std::unique_ptr<log::Reader>> Read(model::Lsn from) override {
    if (reads_++ == moment_) static_cast<void>(log_.Trim(below_));
    return log_.Read(from);
  }
  Status Append(model::Lsn first, model::Term term, const log::GroupToWrite& group) override {
    return log_.Append(first, term, group);
  }
  Status Seal(model::Term term) override { return log_.Seal(term); }
  Status Trim(model::Lsn below) override { return log_.Trim(below); }
  model::LogId id() const override { return log_.id(); }
  model::Term term() const override { return log_.term(); }
  model::Lsn first() const override { return log_.first(); }
  model::Lsn next() const override { return log_.next(); }
  model::LogTime time() const override { return log_.time(); }
  uint64_t bytes() const override { return log_.bytes(); }
  uint64_t bytes_after(model::Lsn lsn) const override { return log_.bytes_after(lsn); }
  std::vector<model::Lsn> starts() const override { return log_.starts(); }

 private:
  log::Log& log_;
  const model::Lsn below_;
  const uint64_t moment_;
  uint64_t reads_ = 0;
};

MemorySink::Fate Draw(Prng& prng) {
  if (!prng.OneIn(4)) return MemorySink::Fate::kDone;
  return static_cast<MemorySink::Fate>(1 + prng.Below(3));
}

// Goal:   the sink holds exactly the effects up to its position, whatever happens to either side.
// Method: random writes; a sink that is away, loses calls, or carries them out without saying so; a
//         process that ends anywhere; a store that moves on; seeds.
TEST(Projector, EndsInTheStateHoweverTheSinkFails) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TestNode node(seed);
    Prng prng(~seed);
    MemorySink::Options options;
    options.fate = [&prng] { return Draw(prng); };
    Bench bench(node, options, {.rows_max = 1 + prng.Below(40), .every_us = prng.Below(20'000)});
    for (int i = 0; i < 300; ++i) {
      node.WriteAny(12);
      if (prng.OneIn(2)) bench.Step();
      if (prng.OneIn(60)) node.StoreAll();
      if (prng.OneIn(60)) bench.Restart();
    }
    ASSERT_TRUE(bench.CatchUp()) << "seed " << seed << ": " << bench.projector().report().why;
    ASSERT_EQ(bench.medium->rows, node.rows) << "seed " << seed;
  }
}

// Goal:   a tail begins near its place, however long the log is, and lacks nothing.
// Method: a long log; from any position of a sink, begin, and read on to the state.
TEST(Projector, BeginsNearItsPlace) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TestNode node(seed);
    MemorySink::Medium at;  // what a sink has
    const Source source = node.source();
    Tail writer(source);
    ASSERT_TRUE(writer.Begin({}).ok());
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 100; ++i) node.WriteAny(30);
      ASSERT_TRUE(writer.Fill(10'000, 1 << 20, model::Lsn(node.log.next().value - 50)).has_value());
      Batch taken = writer.Take();
      for (const Change& change : taken.changes) ApplyChange(change, at.rows);
      for (const Place& place : taken.to) at.position[place.lineage.value] = place.seq.value;
      Position position;
      for (const auto& [lineage, seq] : at.position) {
        position.push_back({model::Lineage(lineage), model::ShardSeq(seq)});
      }
      Tail tail(source);
      ASSERT_TRUE(tail.Begin(position).ok());
      EXPECT_GE(tail.lsn().value + 200, node.log.next().value) << "round " << round;
      Rows rows = at.rows;
      while (tail.Fill(10'000, 1 << 20).value()) {
      }
      for (const Change& change : tail.Take().changes) ApplyChange(change, rows);
      ASSERT_EQ(rows, node.rows) << "seed " << seed << ", round " << round;
    }
  }
}

// Goal:   deltas come exactly once.
// Method: the same, with counters only and a sink that adds, and that comes back from an older
//         backup at times, also while a batch is on its way.
TEST(Projector, AddsEachIncrementOnce) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TestNode node(seed);
    Prng prng(~seed);
    MemorySink::Options options;
    options.fate = [&prng] { return Draw(prng); };
    // Some keys are refused while this is so, and become letters.
    bool poisoned = true;
    options.poison = [&poisoned](const Change& change) {
      return std::string(poisoned && change.key.ends_with("3") ? "no threes" : "");
    };
    for (int i = 0; i < 20; ++i) node.Increment("likes:" + std::to_string(i), 5);
    node.StoreAll();
    Bench bench(node, options, {.rows_max = 10}, true);
    std::optional<MemorySink::Medium> backup;
    for (int i = 0; i < 200; ++i) {
      node.Increment("likes:" + std::to_string(prng.Below(20)),
                     1 + static_cast<int64_t>(prng.Below(9)));
      if (prng.OneIn(2)) bench.Step();
      if (prng.OneIn(60)) bench.Restart();
      if (prng.OneIn(40)) backup = *bench.medium;
      if (backup && prng.OneIn(40)) *bench.medium = *backup;
    }
    ASSERT_TRUE(bench.CatchUp()) << "seed " << seed << ": " << bench.projector().report().why;
    EXPECT_EQ(bench.projector().report().dead, 2u) << "seed " << seed;
    poisoned = false;
    for (int i = 0; i < 1'000 && !bench.medium->dead.empty(); ++i) {
      if (i % 100 == 0) static_cast<void>(bench.projector().Replay({}, {}));
      bench.Step();
    }
    ASSERT_TRUE(bench.CatchUp()) << "seed " << seed;
    ASSERT_EQ(bench.medium->rows, node.rows) << "seed " << seed;
  }
}

// Goal:   what a sink refuses for what it is never holds up the rest, and what is kept of it is all
//         that is lacking.
// Method: random writes with keys that are refused now and then; at the end all letters are tried
//         again.
TEST(Projector, LettersAreAllThatIsLacking) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    TestNode node(seed);
    Prng prng(~seed);
    MemorySink::Options options;
    bool poisoned = true;
    options.poison = [&](const Change& change) {
      const bool refused = poisoned && change.key.ends_with("1") && change.writes % 3 != 0;
      return std::string(refused ? "not this" : "");
    };
    options.fate = [&] { return prng.OneIn(10) ? Draw(prng) : MemorySink::Fate::kDone; };
    Bench bench(node, options, {.rows_max = 10, .every_us = 1'000});
    for (int i = 0; i < 300; ++i) {
      node.WriteAny(3);
      if (prng.OneIn(2)) bench.Step();
      if (prng.OneIn(80)) bench.Restart();
    }
    ASSERT_TRUE(bench.CatchUp()) << "seed " << seed << ": " << bench.projector().report().why;
    for (const std::string key : {"likes:0", "likes:2"}) {
      EXPECT_EQ(bench.medium->rows.contains(key), node.rows.contains(key)) << "seed " << seed;
    }
    poisoned = false;
    for (int i = 0; i < 1'000 && !bench.medium->dead.empty(); ++i) {
      if (i % 100 == 0) static_cast<void>(bench.projector().Replay({}, {}));
      bench.Step();
    }
    ASSERT_EQ(bench.medium->rows, node.rows) << "seed " << seed;
  }
}

// Goal:   a projection that comes late begins with the state, without a gap or a double.
// Method: a store that has part of the writes, and a log that was trimmed to it; the process ends
//         after each number of steps.
TEST(Projector, CopiesTheStateFirst) {
  for (uint64_t stop = 1; stop <= 60; ++stop) {
    TestNode node(stop);
    for (int i = 0; i < 300; ++i) node.WriteAny(30);
    node.StoreAll();
    ASSERT_TRUE(node.log.Trim(node.log.next()).ok());
    for (int i = 0; i < 100; ++i) node.WriteAny(30);
    Bench bench(node, {}, {.rows_max = 4});
    for (uint64_t i = 0; i < stop; ++i) bench.Step();
    for (int i = 0; i < 50; ++i) node.WriteAny(30);
    if (stop % 2 == 0) node.StoreAll();
    bench.Restart();
    ASSERT_TRUE(bench.CatchUp()) << stop << ": " << bench.projector().report().why;
    ASSERT_EQ(bench.medium->rows, node.rows) << stop;
  }
}

// Goal:   who waits for what was written is not told that it is there while the state is copied.
// Method: asked after each step of a copy and of a rebuild.
TEST(Projector, HasNothingUntilTheStateIsCopied) {
  TestNode node(3);
  for (int i = 0; i < 300; ++i) node.WriteAny(30);
  node.StoreAll();
  const model::Lsn last(node.log.next().value - 1);
  Bench bench(node, {}, {.rows_max = 4});
  for (int again = 0; again < 2; ++again) {
    size_t steps = 0;
    do {
      bench.Step();
      if (bench.projector().Has(last)) {
        EXPECT_EQ(bench.medium->rows, node.rows) << steps;
      }
      ASSERT_LT(++steps, 1'000u);
    } while (!bench.projector().Has(last) || steps < 5);
    bench.projector().Rebuild();
  }
}

// Goal:   where the log lacks what the sink needs, that is said and nothing is skipped; a rebuild
//         ends in the state.
// Method: a log trimmed while the projection was away, with and without later records.
TEST(Projector, IsBrokenWhereTheLogEnds) {
  for (const bool later : {true, false}) {
    TestNode node(7);
    Bench bench(node);
    for (int i = 0; i < 50; ++i) node.WriteAny(10);
    ASSERT_TRUE(bench.CatchUp());
    for (int i = 0; i < 50; ++i) node.WriteAny(10);
    node.StoreAll();
    const Rows before = bench.medium->rows;
    ASSERT_TRUE(node.log.Trim(node.log.next()).ok());
    for (const char* key : {"likes:97", "likes:98", "likes:99"}) {  // one of each shard
      if (later) node.Increment(key, 1);
    }
    bench.Restart();
    ASSERT_FALSE(bench.CatchUp());
    EXPECT_THAT(bench.projector().report().why, HasSubstr("was trimmed away"));
    EXPECT_FALSE(bench.projector().report().lag_ms.has_value());
    EXPECT_EQ(bench.medium->rows, before);
    EXPECT_EQ(bench.projector().needs(), model::Lsn(UINT64_MAX));
    bench.projector().Resume();
    ASSERT_FALSE(bench.CatchUp());
    bench.projector().Rebuild();
    ASSERT_TRUE(bench.CatchUp()) << bench.projector().report().why;
    EXPECT_EQ(bench.medium->rows, node.rows);
  }
}

// Goal:   a trim of what the sink has does not make its projection believe that it lacks something.
// Method: it goes on before each of the reads with which a projection finds its place again.
TEST(Projector, IsNotMisledByATrim) {
  for (uint64_t moment = 0; moment < 12; ++moment) {
    TestNode node(moment);
    Bench bench(node);
    for (int i = 0; i < 90; ++i) node.WriteAny(10);
    ASSERT_TRUE(bench.CatchUp());
    TrimmedUnderWay log(node.log, node.log.next(), moment);
    node.read_through = &log;
    for (int i = 0; i < 20; ++i) node.WriteAny(10);
    bench.Restart();
    ASSERT_TRUE(bench.CatchUp()) << moment << ": " << bench.projector().report().why;
    EXPECT_EQ(bench.medium->rows, node.rows) << moment;
  }
}

// Goal:   a sink that is ahead of the log is another node's.
// Method: a sink taken to a node that wrote less.
TEST(Projector, RefusesASinkThatIsAhead) {
  TestNode node(7), other(8);
  Bench bench(node), second(other);
  for (int i = 0; i < 50; ++i) node.Increment("likes:1", 1);
  other.Increment("likes:1", 1);
  ASSERT_TRUE(bench.CatchUp());
  *second.medium = *bench.medium;
  ASSERT_FALSE(second.CatchUp());
  EXPECT_THAT(second.projector().report().why, HasSubstr("another node's sink"));
}

// Goal:   a sink that another node writes to is left alone, until a rebuild takes it.
TEST(Projector, RefusesASinkOfAnotherNode) {
  TestNode node(7);
  Bench bench(node);
  for (int i = 0; i < 50; ++i) node.WriteAny(10);
  bench.medium->position = {{0, 2}, {5, 70}};
  bench.medium->rows["likes:foreign"];
  ASSERT_FALSE(bench.CatchUp());
  EXPECT_THAT(bench.projector().report().why, HasSubstr("another node's sink"));
  EXPECT_EQ(bench.medium->rows.size(), 1u);
  bench.projector().Rebuild();
  ASSERT_TRUE(bench.CatchUp());
  EXPECT_EQ(bench.medium->rows, node.rows);
}

// Goal:   writes that no change can say are never left out in silence.
// Method: a patch and a FLUSHALL in the log.
TEST(Projector, StopsAtWhatItCannotSay) {
  for (const auto kind : {model::EffectKind::kPatch, model::EffectKind::kClearShard}) {
    TestNode node(7);
    Bench bench(node);
    node.Increment("likes:1", 1);
    ASSERT_TRUE(bench.CatchUp());
    node.Write({node.Effect(kind, kind == model::EffectKind::kPatch ? "likes:1" : "")}, 1);
    ASSERT_FALSE(bench.CatchUp());
    EXPECT_THAT(bench.projector().report().why, HasSubstr("no projection read its keyspace"));
    node.StoreAll();
    bench.projector().Rebuild();
    ASSERT_TRUE(bench.CatchUp());
    EXPECT_EQ(bench.medium->rows, node.rows);
  }
}

// Goal:   a paused projection writes nothing, and then all; its lag grows meanwhile.
TEST(Projector, Pauses) {
  TestNode node(7);
  Bench bench(node);
  node.Increment("likes:1", 1);
  ASSERT_TRUE(bench.CatchUp());
  bench.projector().Pause();
  node.Increment("likes:1", 1);
  for (int i = 0; i < 50; ++i) bench.Step();
  EXPECT_EQ(bench.projector().report().state, State::kPaused);
  EXPECT_GT(bench.projector().report().lag_ms.value_or(0), 1'000u);
  EXPECT_EQ(bench.medium->rows["likes:1"].value, "1");
  bench.projector().Resume();
  ASSERT_TRUE(bench.CatchUp());
  EXPECT_EQ(bench.medium->rows, node.rows);
}

// Goal:   the pace asked for is kept, evenly.
// Method: many keys at a rate; the simulated time that passes, and the batches in it.
TEST(Projector, KeepsItsRate) {
  for (const uint64_t rows_max : {10, 10'000}) {
    TestNode node(7);
    Bench bench(node, {}, {.rows_max = rows_max, .every_us = 1'000, .rate = 100});
    ASSERT_TRUE(bench.CatchUp());
    const uint64_t began_us = node.world.clock.MonotonicUs();
    for (int i = 0; i < 500; ++i) node.Increment("likes:" + std::to_string(i), 1);
    ASSERT_TRUE(bench.CatchUp());
    const uint64_t took_us = node.world.clock.MonotonicUs() - began_us;
    EXPECT_GE(took_us, 4'800'000u);
    EXPECT_LE(took_us, 5'500'000u);
    EXPECT_GE(bench.medium->batches, 50u);
  }
}

// Goal:   a batch is as large as the sink can take it in good time, and no larger.
// Method: sinks from fast to very slow, by the simulated time that a row takes; a backlog.
TEST(Projector, BatchesFollowTheSink) {
  for (const uint64_t row_us : {1, 8, 30, 100, 1'000, 10'000, 50'000}) {
    TestNode node(7);
    MemorySink::Options options;
    options.poison = [&](const Change&) {
      node.world.clock.Advance(row_us);
      return std::string();
    };
    Bench bench(node, options);
    ASSERT_TRUE(bench.CatchUp());
    for (int i = 0; i < 30'000; ++i) node.Increment("likes:" + std::to_string(i), 1);
    uint64_t most = 0;
    while (bench.projector().report().rows < 28'000) {
      const uint64_t before = bench.projector().report().rows;
      bench.Step();
      const Report report = bench.projector().report();
      const uint64_t rows = report.rows - before;
      most = std::max(most, rows);
      // The first ones find out what it takes.
      if (report.rows < 17'000) continue;
      EXPECT_LE(rows, std::max(kBatchRowsLeast, kLatencyMostUs / row_us)) << row_us;
      if (rows == 0) continue;  // of the log, or between two batches
      EXPECT_GE(rows * 4, std::min<uint64_t>(10'000, kLatencyGoalUs / row_us)) << row_us;
    }
    EXPECT_LE(most, 10'000u) << row_us;
  }
}

// Goal:   a sink that comes back from an older backup gets what it lacks, though nobody writes.
// Method: rows and position of an earlier moment put back; time passes.
TEST(Projector, NoticesAnOlderSink) {
  TestNode node(7);
  Bench bench(node);
  for (int i = 0; i < 50; ++i) node.WriteAny(10);
  ASSERT_TRUE(bench.CatchUp());
  const MemorySink::Medium backup = *bench.medium;
  for (int i = 0; i < 50; ++i) node.WriteAny(10);
  ASSERT_TRUE(bench.CatchUp());
  *bench.medium = backup;
  node.world.clock.Advance(kLookUs);
  for (int i = 0; i < 100; ++i) bench.Step();
  EXPECT_EQ(bench.medium->rows, node.rows);
  EXPECT_EQ(bench.projector().report().state, State::kRunning);
}

// Goal:   a later owner of the sink is not disturbed.
TEST(Projector, IsFencedByALaterOwner) {
  TestNode node(7);
  Bench bench(node);
  ASSERT_TRUE(bench.CatchUp());
  bench.medium->epoch = 9;
  node.Increment("likes:1", 1);
  ASSERT_FALSE(bench.CatchUp());
  EXPECT_THAT(bench.projector().report().why, HasSubstr("later owner"));
  EXPECT_TRUE(bench.medium->rows.empty());
}

// Goal:   a comparison finds the rows that differ and no others, whatever goes on meanwhile.
// Method: random writes before and during it; then rows that somebody changed in the sink.
TEST(Projector, VerifiesWhileWritesGoOn) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    TestNode node(seed);
    Prng prng(~seed);
    Bench bench(node, {}, {.rows_max = 5, .every_us = 1'000});
    for (int i = 0; i < 200; ++i) node.WriteAny(30);
    node.StoreAll();
    for (int i = 0; i < 50; ++i) node.WriteAny(30);
    node.Increment("likes:1000", 1);
    ASSERT_TRUE(bench.CatchUp());
    for (const std::string broken : {"", "likes:never", "elsewhere:1", "likes:1000"}) {
      const bool harmed = !broken.empty();
      if (harmed) bench.medium->rows[broken].value = "77";
      std::optional<Verdict> verdict;
      ASSERT_TRUE(bench.projector().Verify([&](const auto& v) { verdict = v.value(); }).ok());
      for (int i = 0; i < 2'000 && !verdict; ++i) {
        if (prng.OneIn(3)) node.WriteAny(30);
        bench.Step();
      }
      ASSERT_TRUE(verdict.has_value()) << "seed " << seed;
      EXPECT_EQ(verdict->differing > 0, harmed) << "seed " << seed;
      for (const Difference& difference : verdict->differences) EXPECT_EQ(difference.key, broken);
      EXPECT_GE(verdict->compared, node.rows.size() / 2);
      bench.medium->rows.erase(broken);
    }
  }
}

// Goal:   letters can be forgotten one by one, and those that are still refused stay.
TEST(Projector, PurgesLetters) {
  TestNode node(7);
  MemorySink::Options options;
  options.poison = [](const Change&) { return std::string("no"); };
  Bench bench(node, options);
  for (int i = 0; i < 5; ++i) node.Increment("likes:" + std::to_string(i), 1);
  ASSERT_TRUE(bench.CatchUp());
  ASSERT_EQ(bench.projector().dead().size(), 5u);
  EXPECT_EQ(bench.projector().dead()[0].reason, "no");
  uint64_t purged = 99, replayed = 99;
  ASSERT_TRUE(bench.projector().Purge({2, 4, 77}, [&](const auto& n) { purged = n.value(); }).ok());
  for (int i = 0; i < 5; ++i) bench.Step();
  EXPECT_EQ(purged, 2u);
  ASSERT_TRUE(bench.projector().Replay({}, [&](const auto& n) { replayed = n.value(); }).ok());
  for (int i = 0; i < 5; ++i) bench.Step();
  EXPECT_EQ(replayed, 0u);
  EXPECT_EQ(bench.projector().dead().size(), 3u);
  EXPECT_EQ(bench.medium->dead.size(), 3u);
}

// Goal:   who gives an order that cannot be carried out hears at once what is in the way.
// Method: each hindrance in turn; the answer to a purge, to a replay and to a comparison.
TEST(Projector, SaysWhatIsInTheWayOfAnOrder) {
  struct Case {
    std::function<void(Bench&)> begin;
    std::string_view why;
  };
  const Case cases[] = {
      {[](Bench& bench) { bench.projector().EndOrders(); }, "the node stops"},
      {[](Bench& bench) { bench.projector().GiveUp("the log is full"); }, "BROKEN"},
      {[](Bench& bench) { bench.projector().Rebuild(); }, "being copied"},
      {[](Bench& bench) { bench.away = true, bench.Restart(); }, "waits for its sink"},
  };
  for (const Case& each : cases) {
    for (const int order : {0, 1, 2}) {
      TestNode node(7);
      Bench* self = nullptr;
      MemorySink::Options options;
      options.fate = [&self] {
        return self->away ? MemorySink::Fate::kRefused : MemorySink::Fate::kDone;
      };
      Bench bench(node, options, {.rows_max = 10});
      self = &bench;
      for (int i = 0; i < 2'000; ++i) node.Increment("likes:" + std::to_string(i), 1);
      node.StoreAll();
      ASSERT_TRUE(bench.CatchUp());
      each.begin(bench);
      bench.Step();
      std::string heard;
      const auto then = [&heard](const auto& result) {
        heard = result.has_value() ? "done" : result.error().message;
      };
      Projector& projector = bench.projector();
      ASSERT_TRUE((order == 0   ? projector.Purge({}, then)
                   : order == 1 ? projector.Replay({}, then)
                                : projector.Verify(then))
                      .ok());
      for (int i = 0; i < 2 && heard.empty(); ++i) bench.Step();
      // A comparison waits for the end of a copy: it takes as long.
      if (order == 2 && each.why == "being copied") continue;
      EXPECT_THAT(heard, testing::HasSubstr(each.why)) << order;
    }
  }
}

}  // namespace
}  // namespace sluice::project
