#include "rebalance/jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>

#include "env/sim/clock.h"
#include "route/map_change.h"

namespace sluice::rebalance {
namespace {

using ::testing::HasSubstr;

// A node of two lanes that does what it is told, and counts how often it is asked.
class FakeHands final : public Hands {
 public:
  FakeHands() {
    route::TopologyContent content;
    std::vector<model::Shard> shards(3);
    for (uint32_t i = 0; i < 3; ++i) {
      shards[i].id = model::ShardId(i + 1);
      shards[i].begin = i == 0 ? "" : std::string(1, static_cast<char>('a' + 10 * i));
      shards[i].end = i == 2 ? "" : std::string(1, static_cast<char>('a' + 10 * (i + 1)));
      shards[i].lineage = model::Lineage(100 + i);
      shards[i].epoch = model::Epoch(1);
      shards[i].lane = model::LaneId(static_cast<uint16_t>(i % 2));
    }
    content.next_shard_id = 4;
    content.version = 1;
    content.lanes = 2;
    content.map = *model::ShardMap::Make(model::Epoch(1), std::move(shards));
    now = std::make_shared<const route::TopologyContent>(std::move(content));
    lanes_have = now->map;
  }

  std::shared_ptr<const route::TopologyContent> Now() const override { return now; }
  size_t lanes() const override { return lane_count; }
  uint64_t Draw() override { return ++drawn; }
  Result<std::string> LoadMedian(model::ShardId) override {
    if (median.empty()) return Fail(Code::kNotFound, "one key takes it all");
    return median;
  }
  Result<std::string> TokenOf(const model::Shard&, const std::string& key) override { return key; }
  std::string Admit() override { return throttled ? "its share" : ""; }
  uint64_t RestUs() const override { return 0; }
  void BeginStore(model::LaneId lane) override { asked[lane.value] = true; }
  uint64_t Stored(model::LaneId lane) const override { return stored[lane.value]; }
  Status Commit(const route::TopologyContent& next) override {
    ++commits;
    if (refuse) return Fail(*refuse, "the disk says no");
    route::TopologyContent held = next;
    ++held.version;
    now = std::make_shared<const route::TopologyContent>(std::move(held));
    return Ok();
  }
  std::string TakeOver() override {
    if (busy) return "commands under way";
    lanes_have = now->map;
    return {};
  }
  bool Settled() const override { return settled; }
  Result<std::string> Verify() override {
    ++verified;
    if (differs) return Fail(*differs, "lane 1 is behind");
    return "two lanes";
  }

  std::shared_ptr<const route::TopologyContent> now;
  std::shared_ptr<const model::ShardMap> lanes_have;
  std::string median = "m";
  std::optional<Code> refuse, differs;
  uint64_t stored[2] = {0, 0};
  bool asked[2] = {false, false};
  bool throttled = false, busy = false, settled = true;
  size_t lane_count = 2;
  uint64_t drawn = 1000, commits = 0, verified = 0;
};

JobOrder Split(uint32_t shard, std::optional<std::string> at = {}) {
  JobOrder order;
  order.kind = JobKind::kSplit;
  order.shard = model::ShardId(shard);
  order.at_key = std::move(at);
  return order;
}
JobOrder Merge(uint32_t shard, uint32_t with) {
  JobOrder order;
  order.kind = JobKind::kMerge;
  order.shard = model::ShardId(shard);
  order.with = model::ShardId(with);
  return order;
}
JobOrder Move(uint32_t shard, uint16_t to) {
  JobOrder order;
  order.kind = JobKind::kMove;
  order.shard = model::ShardId(shard);
  order.to = model::LaneId(to);
  return order;
}

// Jobs with all that they work with.
struct Rig {
  // As the jobs' thread does. What a lane was asked to store, it stores.
  void OneStep() {
    jobs.Step();
    for (size_t i = 0; i < 2; ++i) hands.stored[i] += std::exchange(hands.asked[i], false);
    clock.Advance(kRetryUs);
  }

  FakeHands hands;
  env::SimClock clock{1'700'000'000'000};
  Jobs jobs{hands, clock};
};

class JobsTest : public ::testing::Test {
 protected:
  void Run(uint64_t steps = 1000) {
    for (uint64_t i = 0; i < steps && jobs_.under_way() > 0; ++i) OneStep();
  }
  void OneStep() { rig_.OneStep(); }
  JobReport Latest() const { return jobs_.List().front(); }
  static std::string Shape(const model::ShardMap& map) {
    std::string shape;
    for (const model::Shard& shard : map.shards()) {
      shape += shard.begin + "-" + shard.end + "@" + std::to_string(shard.lane.value) + " ";
    }
    return shape;
  }
  std::string Lanes() const { return Shape(*hands_.lanes_have); }

  Rig rig_;
  FakeHands& hands_ = rig_.hands;
  env::SimClock& clock_ = rig_.clock;
  Jobs& jobs_ = rig_.jobs;
};

// Goal:   each kind of job ends in the map that was asked for, on the lanes as in the topology.
TEST_F(JobsTest, EndInTheMapThatWasAskedFor) {
  ASSERT_TRUE(jobs_.Start(Split(2, "n")).has_value());
  Run();
  EXPECT_EQ(Lanes(), "-k@0 k-n@1 n-u@1 u-@0 ");
  EXPECT_EQ(Latest().made, (std::vector{model::ShardId(4), model::ShardId(5)}));
  ASSERT_TRUE(jobs_.Start(Split(1)).has_value()) << "at the load's median";
  Run();
  EXPECT_EQ(Latest().state, JobState::kFailed) << "the median lies elsewhere";
  hands_.median = "c";
  ASSERT_TRUE(jobs_.Start(Split(1)).has_value());
  Run();
  EXPECT_EQ(Lanes(), "-c@0 c-k@0 k-n@1 n-u@1 u-@0 ");
  ASSERT_TRUE(jobs_.Start(Move(4, 0)).has_value());
  Run();
  EXPECT_EQ(Lanes(), "-c@0 c-k@0 k-n@0 n-u@1 u-@0 ");
  ASSERT_TRUE(jobs_.Start(Merge(3, 5)).has_value()) << "of two lanes: the other is moved first";
  Run();
  EXPECT_EQ(Lanes(), "-c@0 c-k@0 k-n@0 n-@0 ");
  EXPECT_EQ(Latest().state, JobState::kDone);
  EXPECT_EQ(Shape(*hands_.now->map), Lanes());
  EXPECT_EQ(hands_.now->map->retired().size(), 4u);
}

// Goal:   what happened is compared with what was asked for, once and at the end; a job whose
//         change is not what the node serves by has failed, one that could not look has not.
TEST_F(JobsTest, VerifyWhatHappened) {
  struct Case {
    std::optional<Code> differs;
    JobState state;
    std::string verification;
  };
  for (const Case& each : {Case{std::nullopt, JobState::kDone, "two lanes"},
                           Case{Code::kCorrupt, JobState::kFailed, "failed: lane 1 is behind"},
                           Case{Code::kIo, JobState::kDone, "not done: lane 1 is behind"}}) {
    for (const JobOrder& order : {Split(2, "n"), Move(2, 0), Merge(2, 3)}) {
      Rig rig;
      rig.hands.differs = each.differs;
      ASSERT_TRUE(rig.jobs.Start(order).has_value());
      while (rig.jobs.under_way() > 0) {
        EXPECT_EQ(rig.hands.verified, 0u);
        rig.OneStep();
      }
      const JobReport report = rig.jobs.List().front();
      EXPECT_EQ(report.state, each.state);
      EXPECT_EQ(report.verification, each.verification);
      EXPECT_EQ(report.error.empty(), each.state == JobState::kDone);
      EXPECT_EQ(rig.hands.verified, 1u);
    }
  }
  hands_.refuse = Code::kNoSpace;
  ASSERT_TRUE(jobs_.Start(Split(2, "n")).has_value());
  Run();
  EXPECT_EQ(hands_.verified, 0u) << "nothing happened";
}

// Goal:   what cannot be is refused at once, says why, and changes nothing.
TEST_F(JobsTest, RefuseWhatCannotBe) {
  const auto refused = [this](const JobOrder& order) {
    const auto started = jobs_.Start(order);
    EXPECT_FALSE(started.has_value());
    return started.has_value() ? std::string() : started.error().message;
  };
  EXPECT_THAT(refused(Split(9)), HasSubstr("there is no shard 9"));
  EXPECT_THAT(refused(Split(2, "a")), HasSubstr("not within the shard"));
  EXPECT_THAT(refused(Split(2, "k")), HasSubstr("one part would be empty"));
  EXPECT_THAT(refused(Merge(1, 3)), HasSubstr("are no neighbours"));
  EXPECT_THAT(refused(Merge(1, 1)), HasSubstr("are no neighbours"));
  EXPECT_THAT(refused(Move(1, 0)), HasSubstr("lane 0 owns shard 1 already"));
  EXPECT_THAT(refused(Move(1, 7)), HasSubstr("there is no lane 7; they are 0 to 1"));
  hands_.lane_count = 1;
  EXPECT_THAT(refused(Move(1, 1)), HasSubstr("this node has one lane, which owns all shards"));
  hands_.lane_count = 2;
  ASSERT_TRUE(jobs_.Start(Split(2, "n")).has_value());
  EXPECT_THAT(refused(Move(2, 0)), HasSubstr("job 1 is about that shard"));
  EXPECT_THAT(refused(Merge(3, 2)), HasSubstr("job 1 is about that shard"));
  Run();
  EXPECT_THAT(refused(Split(2)), HasSubstr("shard 2 has been split or merged"));
  EXPECT_EQ(hands_.commits, 1u);
  EXPECT_EQ(jobs_.Pause(5).error().code, Code::kNotFound);
  EXPECT_EQ(jobs_.Abort(1).error().code, Code::kConflict);
}

// Goal:   one key is never answered with a split.
TEST_F(JobsTest, DoNotSplitOneKey) {
  ASSERT_TRUE(jobs_.Start(Split(2)).has_value());
  hands_.median.clear();
  EXPECT_EQ(jobs_.Start(Split(1)).error().message, "one key takes it all");
  Run();
  EXPECT_EQ(Latest().state, JobState::kFailed);
  EXPECT_EQ(Latest().error, "one key takes it all");
  EXPECT_EQ(hands_.commits, 0u);
}

// Goal:   a job that is paused or aborted in any phase, or whose commit fails, leaves the map as it
//         was or as it was asked for, and the lanes agree with the topology.
// Method: each kind of job, disturbed in each way after each number of steps.
TEST_F(JobsTest, AreAllOrNothingWhateverHappens) {
  const JobOrder orders[] = {Split(2, "n"), Move(2, 0), Merge(1, 2)};
  const std::string wanted[] = {"-k@0 k-n@1 n-u@1 u-@0 ", "-k@0 k-u@0 u-@0 ", "-u@0 u-@0 "};
  const std::string moved = wanted[1];  // a merge of two lanes that was aborted half way
  enum Disturbance { kAbort, kPause, kRefuse, kBusy };
  size_t aborted = 0, done = 0, too_late = 0;
  for (size_t kind = 0; kind < 3; ++kind) {
    for (const Disturbance how : {kAbort, kPause, kRefuse, kBusy}) {
      for (uint64_t after = 0; after < 12; ++after) {
        Rig rig;
        FakeHands& hands = rig.hands;
        Jobs& jobs = rig.jobs;
        const auto step = [&rig] { rig.OneStep(); };
        const std::string before = Shape(*hands.now->map);
        const uint64_t id = *jobs.Start(orders[kind]);
        for (uint64_t i = 0, percent = 0; i < after; ++i) {
          step();
          const uint64_t now = jobs.List().front().percent;
          EXPECT_GE(now, std::exchange(percent, now));
        }
        const bool was_over = jobs.under_way() == 0;
        if (how == kAbort) (void)jobs.Abort(id);
        const bool paused = how == kPause && jobs.Pause(id).ok();
        if (how == kRefuse) hands.refuse = Code::kNoSpace;
        hands.busy = how == kBusy;
        for (int i = 0; i < 2000 && jobs.under_way() > 0; ++i) step();
        if (how == kPause && !was_over && !paused) ++too_late;
        if (paused) {
          EXPECT_EQ(jobs.List().front().state, JobState::kPaused);
          const std::string held = Shape(*hands.now->map);
          for (int i = 0; i < 20; ++i) step();
          EXPECT_EQ(Shape(*hands.now->map), held) << "a paused job goes on";
          EXPECT_TRUE(jobs.Resume(id).ok());
          for (int i = 0; i < 2000 && jobs.under_way() > 0; ++i) step();
        }
        const JobReport job = jobs.List().front();
        ASSERT_TRUE(job.ended()) << kind << " " << how << " " << after;
        const std::string shape = Shape(*hands.now->map);
        if (job.state == JobState::kDone) {
          ++done;
          EXPECT_EQ(shape, wanted[kind]);
        } else {
          ++aborted;
          EXPECT_TRUE(shape == before || (kind == 2 && shape == moved)) << shape;
          EXPECT_EQ(job.error.ends_with("stays there"), shape != before) << job.error;
        }
        hands.busy = false;
        EXPECT_EQ(Shape(*hands.lanes_have), shape) << kind << " " << how << " " << after;
      }
    }
  }
  EXPECT_GT(aborted, 20u);
  EXPECT_GT(done, 40u);
  EXPECT_GT(too_late, 2u) << "a pause after the commit";
}

// Goal:   whatever is asked of a job and whenever, it holds no other up but while it is itself on
//         its way: a pause is refused once it would, and a merge of two lanes, which commits twice,
//         rests in between.
// Method: a job paused after each number of steps, with another one behind it.
TEST_F(JobsTest, HoldNoOtherUpWhenPaused) {
  size_t refused = 0, before_its_second = 0;
  for (const JobOrder& order : {Split(2, "n"), Move(2, 0), Merge(1, 2)}) {
    for (uint64_t after = 0; after < 12; ++after) {
      Rig rig;
      Jobs& jobs = rig.jobs;
      const auto step = [&rig] { rig.OneStep(); };
      const uint64_t id = *jobs.Start(order);
      ASSERT_TRUE(jobs.Start(Split(3, "w")).has_value());
      for (uint64_t i = 0; i < after; ++i) step();
      const JobPhase phase = jobs.List()[1].phase;
      const Status paused = jobs.Pause(id);
      for (int i = 0; i < 50; ++i) step();
      const auto list = jobs.List();
      EXPECT_EQ(list[0].state, JobState::kDone) << "it is held up by one that was paused";
      EXPECT_EQ(list[1].state, paused.ok() ? JobState::kPaused : JobState::kDone);
      before_its_second += paused.ok() && phase > JobPhase::kCommit ? 1 : 0;
      if (paused.ok() || phase == JobPhase::kEnded) continue;
      ++refused;
      EXPECT_EQ(paused.error().code, Code::kConflict);
      EXPECT_THAT(paused.error().message, HasSubstr("goes on to its end"));
    }
  }
  EXPECT_GT(refused, 2u);
  EXPECT_GT(before_its_second, 0u);
}

// Goal:   once each phase has been seen, it is told how long a job takes, and those behind it.
// Method: a move that learns; then two more, looked at from their first step to their last.
TEST_F(JobsTest, TellHowLongTheyTake) {
  ASSERT_TRUE(jobs_.Start(Move(2, 0)).has_value());
  EXPECT_EQ(Latest().eta_ms, std::nullopt) << "nobody knows yet";
  Run();
  ASSERT_TRUE(jobs_.Start(Move(2, 1)).has_value());
  ASSERT_TRUE(jobs_.Start(Move(3, 1)).has_value());
  std::optional<uint64_t> first_ms, last_ms;
  while (jobs_.under_way() > 1) {
    const auto list = jobs_.List();
    ASSERT_TRUE(list[0].eta_ms && list[1].eta_ms);
    EXPECT_GT(*list[0].eta_ms, *list[1].eta_ms) << "the second waits for the first";
    if (!first_ms) first_ms = list[1].eta_ms;
    if (last_ms) {
      EXPECT_LE(*list[1].eta_ms, *last_ms);
    }
    last_ms = list[1].eta_ms;
    OneStep();
  }
  EXPECT_GT(*first_ms, *last_ms);
  hands_.throttled = true;
  OneStep();
  EXPECT_EQ(Latest().eta_ms, std::nullopt) << "who knows how long the load stays";
}

// Goal:   a node under load holds a job up before it begins and before it commits, and says so;
//         nothing fails for it, and what has committed goes on.
// Method: the load comes after each number of steps, and goes.
TEST_F(JobsTest, AreThrottledUnderLoad) {
  std::set<JobPhase> held;
  for (uint64_t after = 0; after < 8; ++after) {
    hands_.throttled = false;
    ASSERT_TRUE(jobs_.Start(Move(2, static_cast<uint16_t>(after % 2))).has_value());
    Run(after);
    hands_.throttled = true;
    const uint64_t commits = hands_.commits;
    const bool committed = Latest().phase > JobPhase::kCommit;
    Run(20);
    EXPECT_EQ(hands_.commits, commits);
    EXPECT_EQ(Latest().state, committed ? JobState::kDone : JobState::kThrottled);
    if (!committed) {
      EXPECT_EQ(Latest().waits_for, "its share");
      held.insert(Latest().phase);
    }
    hands_.throttled = false;
    Run();
    EXPECT_EQ(Latest().state, JobState::kDone);
  }
  EXPECT_EQ(held, (std::set{JobPhase::kPrepare, JobPhase::kCommit}));
}

// Goal:   who gives a job up that waits does not wait for the one before it.
TEST_F(JobsTest, AreGivenUpAtOnce) {
  hands_.throttled = true;
  ASSERT_TRUE(jobs_.Start(Split(2, "n")).has_value());
  ASSERT_TRUE(jobs_.Start(Split(3, "w")).has_value());
  Run(5);
  ASSERT_TRUE(jobs_.Abort(2).ok());
  OneStep();
  EXPECT_EQ(Latest().state, JobState::kAborted);
  EXPECT_EQ(jobs_.List().back().state, JobState::kThrottled);
}

// Goal:   what waits is bounded, and what has ended is forgotten in time.
TEST_F(JobsTest, AreBounded) {
  for (size_t i = 0; i < kEndedMax + 20; ++i) {
    ASSERT_TRUE(jobs_.Start(Move(2, static_cast<uint16_t>(i % 2))).has_value());
    Run();
    ASSERT_EQ(Latest().state, JobState::kDone);
  }
  EXPECT_LE(jobs_.List().size(), kEndedMax + 1);
  EXPECT_EQ(Latest().id, kEndedMax + 20);
}

}  // namespace
}  // namespace sluice::rebalance
