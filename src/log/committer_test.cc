#include "log/committer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "env/linux/clock.h"
#include "env/sim/world.h"
#include "log/kit_test.h"
#include "log/memory_log.h"

namespace sluice::log {
namespace {

constexpr uint64_t kNever = ~uint64_t{0};

// A log that answers appends as it is told, and keeps what it took.
class MoodyLog final : public Log {
 public:
  Status Append(model::Lsn first, model::Term term, const GroupToWrite& group) override {
    if (mood.has_value()) return Fail(*mood, "moody");
    return log.Append(first, term, group);
  }
  Status Seal(model::Term term) override { return log.Seal(term); }
  Result<std::unique_ptr<Reader>> Read(model::Lsn from) override { return log.Read(from); }
  Status Trim(model::Lsn below) override { return log.Trim(below); }
  model::LogId id() const override { return log.id(); }
  model::Term term() const override { return log.term(); }
  model::Lsn first() const override { return log.first(); }
  model::Lsn next() const override { return log.next(); }
  model::LogTime time() const override { return log.time(); }
  uint64_t bytes() const override { return log.bytes(); }
  uint64_t bytes_after(model::Lsn lsn) const override { return log.bytes_after(lsn); }
  std::vector<model::Lsn> starts() const override { return log.starts(); }

  MemoryLog log{model::LogId(1)};
  std::optional<Code> mood;
};

struct Bench {
  explicit Bench(CommitterLimits limits = {}) : committer(log, clock, limits, {}) {
    committer.OnProgress([this] { ++progress; });
  }

  Result<Placed> Append(std::string bytes, uint32_t records = 1, uint64_t shard = 1,
                        uint32_t epoch = 1, bool awaited = true) {
    const ShardSpan span{model::ShardId(static_cast<uint32_t>(shard)), model::Epoch(epoch),
                         model::Lineage(shard), model::ShardSeq(0), records};
    Batch batch;
    batch.bytes = bytes;
    batch.records = records;
    batch.time = model::LogTime::OfMs(clock.WallMs());
    batch.shards = {&span, 1};
    batch.awaited = awaited;
    return committer.Append(batch);
  }

  uint64_t Closes(Close reason) const { return committer.meters().closes[reason].value(); }

  // All groups in the log, marks too.
  std::vector<OwnGroup> Groups() {
    std::vector<OwnGroup> groups;
    auto reader = log.Read(model::Lsn(1));
    for (;;) {
      const auto next = (*reader)->Next();
      if (*next == nullptr) return groups;
      groups.push_back(Own(**next));
    }
  }

  env::SimClock clock{env::SimWorld::kStartMs};
  MoodyLog log;
  Committer committer;
  int progress = 0;
};

// Goal:   an idle disk takes at once what is there, in one group.
TEST(Committer, ClosesAGroupWhenTheDiskIsIdle) {
  for (int batches = 1; batches <= 20; ++batches) {
    Bench bench;
    for (int i = 0; i < batches; ++i) {
      const auto placed = bench.Append("record", 2);
      ASSERT_TRUE(placed.has_value());
      EXPECT_EQ(placed->last.value, 2u * (i + 1));
      EXPECT_EQ(placed->log_bytes, (i + 1) * (6 + kBatchHeadBytes));
    }
    EXPECT_EQ(bench.committer.durable(), model::Lsn(0));
    bench.committer.Pump();
    EXPECT_EQ(bench.committer.durable(), bench.committer.appended());
    EXPECT_EQ(bench.committer.pending_bytes(), 0u);
    const auto groups = bench.Groups();
    ASSERT_EQ(groups.size(), 1u);
    EXPECT_EQ(groups[0].batches.size(), static_cast<size_t>(batches));
    EXPECT_EQ(bench.Closes(Close::kIdle), 1u);
    EXPECT_EQ(bench.progress, 1);
  }
}

// Goal:   a group is due as soon as it reaches group_bytes, and grows to kGroupGrowth times that
//         while the disk is busy; it passes either by one batch at most, and no batch is divided.
// Method: batches of all sizes around the limit; with a patient delay, and queued up beforehand.
TEST(Committer, ClosesAGroupAtItsSize) {
  CommitterLimits limits;
  limits.group_bytes = 1000;
  limits.group_delay_us = 1'000'000;
  for (size_t size = 1; size < 2200; size += 13) {
    for (const bool busy : {false, true}) {
      Bench bench(limits);
      const size_t bound = busy ? limits.group_bytes * kGroupGrowth : limits.group_bytes;
      const size_t batch_bytes = size + kBatchHeadBytes;
      const size_t batches_each = (bound + batch_bytes - 1) / batch_bytes;
      const size_t batches = 3 * batches_each;
      for (size_t i = 0; i < batches; ++i) {
        ASSERT_TRUE(bench.Append(std::string(size, 'x')).has_value());
        if (!busy) bench.committer.Pump();
      }
      for (int i = 0; i < 3; ++i) bench.committer.Pump();
      EXPECT_EQ(bench.committer.durable(), model::Lsn(batches));
      const auto groups = bench.Groups();
      EXPECT_EQ(groups.size(), 3u);
      for (const OwnGroup& group : groups) {
        EXPECT_EQ(group.batches.size(), batches_each) << size;
      }
      EXPECT_EQ(bench.Closes(Close::kBytes), 3u);
    }
  }
}

// Goal:   with group_delay, a group waits for company, and no longer than that.
TEST(Committer, ClosesAGroupAfterItsDelay) {
  CommitterLimits limits;
  limits.group_delay_us = 2000;
  Bench bench(limits);
  const uint64_t start = bench.clock.MonotonicUs();
  ASSERT_TRUE(bench.Append("a").has_value());
  for (int us = 0; us < 2000; us += 100) {
    EXPECT_EQ(bench.committer.Pump(), start + 2000);
    EXPECT_EQ(bench.committer.durable(), model::Lsn(0));
    bench.clock.Advance(100);
    ASSERT_TRUE(bench.Append("b").has_value());
  }
  bench.committer.Pump();
  EXPECT_EQ(bench.committer.durable(), model::Lsn(21));
  EXPECT_EQ(bench.Closes(Close::kDelay), 1u);
}

// Goal:   a group that nobody waits for is left open for kPatienceUs; a batch that is awaited, or
//         somebody who comes to wait for one of its records, closes it at once; who waits for
//         records that are durable, or not there yet, changes nothing.
// Method: every moment within the patience, each of these reasons.
TEST(Committer, TakesItsTimeWhenNobodyWaits) {
  enum class Reason { kNone, kBatch, kHurry, kHurryForOthers };
  for (const Reason reason :
       {Reason::kNone, Reason::kBatch, Reason::kHurry, Reason::kHurryForOthers}) {
    for (uint64_t us = 0; us < kPatienceUs; us += 250) {
      Bench bench;
      ASSERT_TRUE(bench.Append("durable").has_value());
      bench.committer.Pump();
      ASSERT_EQ(bench.committer.durable(), model::Lsn(1));
      const uint64_t start = bench.clock.MonotonicUs();
      ASSERT_TRUE(bench.Append("a", 1, 1, 1, false).has_value());
      ASSERT_TRUE(bench.Append("b", 1, 1, 1, false).has_value());
      bench.clock.Advance(us);
      if (reason == Reason::kBatch) {
        ASSERT_TRUE(bench.Append("c").has_value());
      }
      if (reason == Reason::kHurry) bench.committer.Hurry(model::Lsn(2));
      if (reason == Reason::kHurryForOthers) bench.committer.Hurry(model::Lsn(1));
      const uint64_t next = bench.committer.Pump();
      const bool hurried = reason == Reason::kBatch || reason == Reason::kHurry;
      EXPECT_EQ(bench.committer.durable() > model::Lsn(1), hurried) << us;
      if (hurried) continue;
      EXPECT_EQ(next, start + kPatienceUs);
      bench.clock.Advance(kPatienceUs - us);
      bench.committer.Pump();
      EXPECT_EQ(bench.committer.durable(), model::Lsn(3));
    }
  }
}

// Goal:   10 ms after the last group a witness is written, once.
TEST(Committer, WritesAWitnessWhenNothingFollows) {
  Bench bench;
  EXPECT_EQ(bench.committer.Pump(), kNever);
  ASSERT_TRUE(bench.Append("a").has_value());
  const uint64_t due = bench.committer.Pump();
  EXPECT_EQ(due, bench.clock.MonotonicUs() + kWitnessDelayUs);
  bench.clock.Advance(kWitnessDelayUs - 1);
  EXPECT_EQ(bench.committer.Pump(), due);
  EXPECT_EQ(bench.Groups().size(), 1u);
  bench.clock.Advance(1);
  EXPECT_EQ(bench.committer.Pump(), kNever);
  const auto groups = bench.Groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].flags, kGroupWitness);
  bench.clock.Advance(10 * kWitnessDelayUs);
  EXPECT_EQ(bench.committer.Pump(), kNever);
  EXPECT_EQ(bench.Groups().size(), 2u);
  EXPECT_EQ(bench.Closes(Close::kWitness), 1u);
}

// Goal:   closing writes what is queued, then the mark, and nothing after it.
TEST(Committer, CloseEndsWithTheCleanStop) {
  for (int batches = 0; batches < 4; ++batches) {
    CommitterLimits limits;
    limits.group_delay_us = 1'000'000;
    Bench bench(limits);
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(bench.Append("a").has_value());
    bench.committer.Close();
    EXPECT_EQ(bench.Append("late").error().code, Code::kUnavailable);
    for (int i = 0; i < 3 && !bench.committer.closed(); ++i) bench.committer.Pump();
    EXPECT_TRUE(bench.committer.closed());
    EXPECT_EQ(bench.committer.durable(), model::Lsn(batches));
    EXPECT_EQ(bench.Groups().back().flags, kGroupCleanStop);
    EXPECT_EQ(bench.committer.Pump(), kNever);
  }
}

// Goal:   sequence numbers follow log order per lineage, without gaps, from where recovery said.
// Method: random shards, epochs that move on, groups closed at random; the tables added up.
TEST(Committer, NumbersRecordsPerLineage) {
  MemoryLog log{model::LogId(1)};
  env::SimClock clock(0);
  std::unordered_map<model::Lineage, model::ShardSeq> start;
  std::map<uint64_t, uint64_t> next;
  for (uint64_t lineage = 1; lineage <= 5; ++lineage) {
    next[lineage] = lineage == 3 ? 1 : 100 * lineage;
    if (lineage != 3) start[model::Lineage(lineage)] = model::ShardSeq(100 * lineage);
  }
  Committer committer(log, clock, {}, start);
  Prng prng(11);
  std::map<uint64_t, uint32_t> epochs;
  for (int i = 0; i < 2000; ++i) {
    std::vector<ShardSpan> spans;
    uint32_t records = 0;
    for (uint64_t lineage = 1; lineage <= 5; ++lineage) {
      if (!prng.OneIn(2)) continue;
      if (prng.OneIn(50)) ++epochs[lineage];
      const uint32_t count = 1 + static_cast<uint32_t>(prng.Below(3));
      spans.push_back({model::ShardId(7), model::Epoch(epochs[lineage]), model::Lineage(lineage),
                       model::ShardSeq(0), count});
      records += count;
    }
    if (records == 0) continue;
    ASSERT_TRUE(committer.Append({"x", records, {}, spans}).has_value());
    if (prng.OneIn(4)) committer.Pump();
  }
  committer.Pump();
  for (const OwnGroup& group : ReadGroups(log, model::Lsn(1))) {
    std::set<std::pair<uint64_t, uint32_t>> seen;
    for (const ShardSpan& span : group.spans) {
      EXPECT_EQ(span.first_seq.value, next[span.lineage.value]);
      next[span.lineage.value] += span.records;
      EXPECT_TRUE(seen.emplace(span.lineage.value, span.epoch.value).second) << "not merged";
    }
  }
  for (uint64_t lineage = 1; lineage <= 5; ++lineage) {
    EXPECT_EQ(committer.next_seq(model::Lineage(lineage)).value, next[lineage]);
  }
}

// Goal:   a full disk is said, keeps what is queued before and meanwhile, and goes on by itself.
TEST(Committer, WaitsWhileTheDiskIsFull) {
  Bench bench;
  ASSERT_TRUE(bench.Append("before").has_value());
  bench.log.mood = Code::kNoSpace;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.committer.Pump(), bench.clock.MonotonicUs() + kNoSpaceRetryUs);
    EXPECT_TRUE(bench.committer.no_space());
    EXPECT_FALSE(bench.committer.failed());
    EXPECT_TRUE(bench.Append("during").has_value());
    EXPECT_EQ(bench.committer.durable(), model::Lsn(0));
    EXPECT_EQ(bench.progress, 1);
  }
  bench.log.mood.reset();
  bench.committer.Pump();
  EXPECT_FALSE(bench.committer.no_space());
  EXPECT_EQ(bench.committer.durable(), model::Lsn(1));
  ASSERT_TRUE(bench.Append("after").has_value());
  bench.committer.Pump();
  EXPECT_EQ(bench.committer.durable(), model::Lsn(5));
  EXPECT_EQ(bench.Groups().size(), 2u);
  EXPECT_EQ(bench.Closes(Close::kIdle), 2u);
}

// Goal:   a stop does not wait for a disk that stays full: what waits is given up as a failed log
//         gives it up, whether it is records or the mark of the clean stop.
TEST(Committer, DoesNotCloseIntoAFullDisk) {
  for (const bool records : {false, true}) {
    for (const bool known : {false, true}) {
      Bench bench;
      ASSERT_TRUE(bench.Append("durable").has_value());
      bench.committer.Pump();
      bench.log.mood = Code::kNoSpace;
      if (records) {
        ASSERT_TRUE(bench.Append("waits").has_value());
      }
      if (known) bench.committer.Pump();
      bench.committer.Close();
      for (int i = 0; i < 3; ++i) bench.committer.Pump();
      EXPECT_TRUE(bench.committer.closed()) << records << known;
      EXPECT_TRUE(bench.committer.failed()) << records << known;
      EXPECT_TRUE(bench.committer.no_space()) << records << known;
      EXPECT_EQ(bench.committer.durable(), model::Lsn(1));
    }
  }
}

// Goal:   new bounds of a group hold from the next batch on; a group that waits for a delay that is
//         no more goes at once.
TEST(Committer, TakesNewBoundsWhileItRuns) {
  CommitterLimits limits;
  limits.group_delay_us = 1'000'000;
  Bench bench(limits);
  ASSERT_TRUE(bench.Append("a").has_value());
  EXPECT_EQ(bench.committer.Pump(), bench.clock.MonotonicUs() + 1'000'000);
  bench.committer.LimitGroups(100, 0, 0);
  bench.committer.Pump();
  EXPECT_EQ(bench.committer.durable(), model::Lsn(1));
  bench.committer.LimitGroups(100, 1'000'000, 0);
  ASSERT_TRUE(bench.Append(std::string(50, 'b')).has_value());
  bench.committer.Pump();
  EXPECT_EQ(bench.committer.durable(), model::Lsn(1)) << "below the size, before the delay";
  ASSERT_TRUE(bench.Append(std::string(50, 'c')).has_value());
  bench.committer.Pump();
  EXPECT_EQ(bench.committer.durable(), model::Lsn(3));
  EXPECT_EQ(bench.Closes(Close::kBytes), 1u);
}

// Goal:   the age of the oldest record that is not durable is told, and none when all are.
TEST(Committer, TellsHowLongRecordsWait) {
  CommitterLimits limits;
  limits.group_delay_us = 1'000;
  Bench bench(limits);
  EXPECT_EQ(bench.committer.oldest_waiting_us(), 0u);
  ASSERT_TRUE(bench.Append("a").has_value());
  for (uint64_t us = 0; us < 1'000; us += 100) {
    EXPECT_EQ(bench.committer.oldest_waiting_us(), us);
    bench.committer.Pump();
    bench.clock.Advance(100);
    ASSERT_TRUE(bench.Append("b").has_value());
  }
  bench.committer.Pump();
  EXPECT_EQ(bench.committer.oldest_waiting_us(), 0u);
  EXPECT_EQ(bench.committer.meters().wait.Read().count, 1u);
}

// Goal:   after a failure nothing more is acknowledged or taken, for good.
TEST(Committer, StopsForGoodWhenTheLogFails) {
  for (const Code code : {Code::kOutcomeUnknown, Code::kFenced, Code::kConflict}) {
    Bench bench;
    ASSERT_TRUE(bench.Append("a").has_value());
    bench.committer.Pump();
    ASSERT_TRUE(bench.Append("b").has_value());
    bench.log.mood = code;
    EXPECT_EQ(bench.committer.Pump(), kNever);
    bench.log.mood.reset();
    EXPECT_TRUE(bench.committer.failed());
    EXPECT_EQ(bench.progress, 2);
    EXPECT_EQ(bench.Append("c").error().code, Code::kOutcomeUnknown);
    EXPECT_EQ(bench.committer.Pump(), kNever);
    EXPECT_EQ(bench.committer.durable(), model::Lsn(1));
    EXPECT_EQ(bench.Groups().size(), 1u);
  }
}

// Goal:   full() says so at the bound, and clears as groups become durable.
TEST(Committer, SaysWhenItsQueueIsFull) {
  CommitterLimits limits;
  limits.group_bytes = 100;
  limits.queue_bytes_max = 1000;
  Bench bench(limits);
  while (bench.committer.pending_bytes() < 1000) {
    EXPECT_FALSE(bench.committer.full());
    ASSERT_TRUE(bench.Append(std::string(50, 'x')).has_value());
  }
  EXPECT_TRUE(bench.committer.full());
  bench.committer.Pump();
  EXPECT_FALSE(bench.committer.full());
  while (bench.committer.pending_bytes() > 0) bench.committer.Pump();
  EXPECT_EQ(bench.committer.durable(), bench.committer.appended());
}

// Goal:   many lanes append while one thread writes; each finds its records whole and in its order.
// Method: real threads over a real clock; the log read back and taken apart per lane.
TEST(Committer, TakesManyLanesAtOnce) {
  constexpr int kLanes = 4, kBatches = 3000;
  MemoryLog log{model::LogId(1)};
  env::LinuxClock clock;
  CommitterLimits limits;
  limits.group_bytes = 4096;
  Committer committer(log, clock, limits, {});
  std::thread writer([&] {
    while (!committer.closed()) committer.WaitForWork(committer.Pump());
  });
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < kLanes; ++lane) {
    lanes.emplace_back([&committer, lane] {
      model::Lsn last;
      for (int i = 0; i < kBatches; ++i) {
        const ShardSpan span{model::ShardId(lane),
                             model::Epoch(1),
                             model::Lineage(static_cast<uint64_t>(lane)),
                             {},
                             1};
        const std::string bytes = std::to_string(lane) + ":" + std::to_string(i);
        const auto placed = committer.Append({bytes, 1, {}, {&span, 1}});
        ASSERT_TRUE(placed.has_value());
        ASSERT_GT(placed->last, last);
        last = placed->last;
      }
    });
  }
  for (std::thread& lane : lanes) lane.join();
  committer.Close();
  writer.join();
  EXPECT_EQ(committer.durable(), model::Lsn(kLanes * kBatches));
  int next[kLanes] = {};
  for (const OwnGroup& group : ReadGroups(log, model::Lsn(1))) {
    for (const OwnBatch& batch : group.batches) {
      const int lane = batch.bytes[0] - '0';
      EXPECT_EQ(batch.bytes, std::to_string(lane) + ":" + std::to_string(next[lane]++));
    }
  }
  for (const int count : next) EXPECT_EQ(count, kBatches);
}

}  // namespace
}  // namespace sluice::log
