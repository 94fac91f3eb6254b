// What every Log must do, whatever it is made of: one suite, run on each implementation.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "env/linux/clock.h"
#include "env/linux/entropy.h"
#include "env/linux/file_system.h"
#include "env/sim/world.h"
#include "log/file_log.h"
#include "log/kit_test.h"
#include "log/memory_log.h"

namespace sluice::log {
namespace {

class MemoryBench {
 public:
  Log& log() { return log_; }
  void Reopen() {}

 private:
  MemoryLog log_{model::LogId(7)};
};

class SimBench {
 public:
  SimBench() { Reopen(); }
  Log& log() { return *log_; }
  void Reopen() {
    log_.reset();
    auto opened = OpenSmall(world_.env(), "log");
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    log_ = std::move(opened->log);
  }

 private:
  env::SimWorld world_{1};
  std::unique_ptr<FileLog> log_;
};

class LinuxBench {
 public:
  LinuxBench() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice_log_XXXXXX").string();
    dir_ = ::mkdtemp(path.data());
    Reopen();
  }
  ~LinuxBench() { std::filesystem::remove_all(dir_); }
  Log& log() { return *log_; }
  void Reopen() {
    log_.reset();
    auto opened = OpenSmall({clock_, files_, entropy_}, dir_ + "/log");
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    log_ = std::move(opened->log);
  }

 private:
  env::LinuxClock clock_;
  env::LinuxFileSystem files_;
  env::LinuxEntropy entropy_;
  std::string dir_;
  std::unique_ptr<FileLog> log_;
};

template <class Bench>
class LogConformance : public testing::Test {
 protected:
  Log& log() { return bench_.log(); }

  OwnGroup AppendRandom(size_t bytes_max) {
    OwnGroup group = RandomGroup(prng_, log().next(), log().term(), bytes_max);
    const Status appended = AppendTo(log(), group, prng_.OneIn(2));
    EXPECT_TRUE(appended.ok()) << appended.error().message;
    return group;
  }

  Bench bench_;
  Prng prng_{42};
};

using Benches = testing::Types<MemoryBench, SimBench, LinuxBench>;
TYPED_TEST_SUITE(LogConformance, Benches);

// Goal:   what was appended is read back, from wherever one begins.
// Method: random groups over several segments; read from every LSN.
TYPED_TEST(LogConformance, ReadsBackWhatWasAppended) {
  std::vector<OwnGroup> groups;
  for (int i = 0; i < 60; ++i) groups.push_back(this->AppendRandom(6000));
  const model::Lsn end = this->log().next();
  for (uint64_t from = 1; from <= end.value; ++from) {
    std::vector<OwnGroup> expected;
    for (const OwnGroup& group : groups) {
      if (group.last().value >= from) expected.push_back(group);
    }
    ASSERT_EQ(ReadGroups(this->log(), model::Lsn(from)), expected) << "from " << from;
  }
  EXPECT_EQ(groups.back().last().Next(), end);
}

// Goal:   how much lies behind a record is known, and nothing behind the last.
// Method: groups over several segments; ask for every LSN.
TYPED_TEST(LogConformance, KnowsHowMuchLiesBehind) {
  EXPECT_EQ(this->log().bytes_after(model::Lsn()), 0u);
  for (int i = 0; i < 60; ++i) this->AppendRandom(6000);
  const model::Lsn end = this->log().next();
  uint64_t before = UINT64_MAX;
  for (uint64_t lsn = 0; lsn < end.value; ++lsn) {
    const uint64_t behind = this->log().bytes_after(model::Lsn(lsn));
    EXPECT_LE(behind, before) << lsn;
    EXPECT_EQ(behind == 0, lsn + 1 == end.value) << lsn;
    before = behind;
  }
}

// Goal:   what it says of its pieces is where groups begin, the first of all among them.
// Method: groups over several segments, with trims; read from each start.
TYPED_TEST(LogConformance, SaysWhereItsPiecesBegin) {
  for (int i = 0; i < 60; ++i) {
    this->AppendRandom(6000);
    const std::vector<model::Lsn> starts = this->log().starts();
    ASSERT_EQ(starts.front(), this->log().first());
    EXPECT_TRUE(std::is_sorted(starts.begin(), starts.end()));
    EXPECT_LE(starts.back(), this->log().next());
    for (const model::Lsn start : starts) {
      const auto reader = this->log().Read(start).value();
      const GroupView* group = reader->Next().value();
      if (group == nullptr) continue;
      EXPECT_EQ(group->first, start);
    }
    if (i % 20 != 19) continue;
    ASSERT_TRUE(this->log().Trim(starts[starts.size() / 2]).ok());
  }
}

// Goal:   an append that expects another place changes nothing.
// Method: every wrong LSN near the right one.
TYPED_TEST(LogConformance, RefusesAnUnexpectedPlace) {
  std::vector<OwnGroup> groups;
  for (int i = 0; i < 3; ++i) groups.push_back(this->AppendRandom(500));
  const model::Lsn next = this->log().next();
  for (uint64_t wrong = 1; wrong < next.value + 5; ++wrong) {
    if (wrong == next.value) continue;
    OwnGroup group = RandomGroup(this->prng_, model::Lsn(wrong), this->log().term(), 500);
    const Status appended = AppendTo(this->log(), group);
    ASSERT_FALSE(appended.ok());
    EXPECT_EQ(appended.error().code, Code::kConflict);
  }
  EXPECT_EQ(this->log().next(), next);
  groups.push_back(this->AppendRandom(500));
  EXPECT_EQ(ReadGroups(this->log(), model::Lsn(1)), groups);
}

// Goal:   a sealed log takes nothing from writers of lower terms, not after a restart either.
// Method: all pairs of terms.
TYPED_TEST(LogConformance, SealFencesLowerTerms) {
  for (uint32_t term = 1; term <= 4; ++term) {
    ASSERT_TRUE(this->log().Seal(model::Term(term)).ok());
    for (const bool reopened : {false, true}) {
      if (reopened) this->bench_.Reopen();
      EXPECT_EQ(this->log().term(), model::Term(term));
      for (uint32_t lower = 0; lower <= term; ++lower) {
        const Status sealed = this->log().Seal(model::Term(lower));
        ASSERT_FALSE(sealed.ok());
        EXPECT_EQ(sealed.error().code, Code::kFenced);
        if (lower == term) continue;
        OwnGroup late = RandomGroup(this->prng_, this->log().next(), model::Term(lower), 100);
        const Status appended = AppendTo(this->log(), late);
        ASSERT_FALSE(appended.ok());
        EXPECT_EQ(appended.error().code, Code::kFenced);
      }
      this->AppendRandom(100);
    }
  }
}

// Goal:   log time never steps back, whatever the groups say.
// Method: groups with times in random order, restarts between.
TYPED_TEST(LogConformance, TimeNeverStepsBack) {
  model::LogTime greatest;
  for (int i = 0; i < 40; ++i) {
    OwnGroup group = RandomGroup(this->prng_, this->log().next(), this->log().term(), 100);
    for (OwnBatch& batch : group.batches) batch.time = model::LogTime{this->prng_.Below(1000)};
    ASSERT_TRUE(AppendTo(this->log(), group).ok());
    for (const OwnBatch& batch : group.batches) greatest = std::max(greatest, batch.time);
    EXPECT_EQ(this->log().time(), greatest);
    if (i % 10 == 9) this->bench_.Reopen();
    EXPECT_EQ(this->log().time(), greatest);
  }
}

// Goal:   the log does what a list of groups does.
// Method: random appends (small, large, larger than a segment), marks, seals, trims and restarts
//         against a list, with one reader that follows all the time.
TYPED_TEST(LogConformance, BehavesLikeAListOfGroups) {
  std::vector<OwnGroup> model;
  std::unique_ptr<Reader> follower;
  size_t followed = 0;
  for (int step = 0; step < 400; ++step) {
    const uint64_t choice = this->prng_.Below(100);
    Log& log = this->log();
    if (choice < 60) {
      const size_t bytes_max = choice < 2 ? 3 * kSmallSegment : choice < 10 ? 30'000 : 3'000;
      model.push_back(this->AppendRandom(bytes_max));
    } else if (choice < 70) {
      ASSERT_TRUE(AppendMark(log, kGroupWitness).ok());
    } else if (choice < 75) {
      ASSERT_TRUE(log.Seal(log.term().Next()).ok());
    } else if (choice < 82) {
      const model::Lsn below(1 + this->prng_.Below(log.next().value));
      const model::Lsn first_before = log.first();
      ASSERT_TRUE(log.Trim(below).ok());
      EXPECT_LE(log.first(), std::max(below, first_before));
      EXPECT_GE(log.first(), first_before);
      if (first_before.value > 1) {
        EXPECT_EQ(log.Read(model::Lsn(first_before.value - 1)).error().code, Code::kNotFound);
      }
    } else if (choice < 88) {
      follower.reset();
      this->bench_.Reopen();
    }
    Log& now = this->log();
    EXPECT_EQ(now.next().value, model.empty() ? 1 : model.back().last().value + 1);
    // The part of the list that the log still has.
    std::vector<OwnGroup> kept;
    for (const OwnGroup& group : model) {
      if (group.last() >= now.first()) kept.push_back(group);
    }
    if (step % 20 == 0) {
      ASSERT_EQ(ReadGroups(now, now.first()), kept) << "step " << step;
    }
    if (follower == nullptr) {
      followed = model.size() - kept.size();
      auto reader = now.Read(now.first());
      ASSERT_TRUE(reader.has_value());
      follower = std::move(*reader);
    }
    for (;;) {
      const auto next = follower->Next();
      ASSERT_TRUE(next.has_value()) << next.error().message;
      if (*next == nullptr) break;
      if ((*next)->records == 0) continue;
      ASSERT_EQ(Own(**next), model[followed++]);
    }
    ASSERT_EQ(followed, model.size()) << "step " << step;
  }
}

}  // namespace
}  // namespace sluice::log
