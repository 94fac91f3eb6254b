// The promises of a FileLog when the power goes, or the disk says no, at any step.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/sim/world.h"
#include "log/file_log.h"
#include "log/kit_test.h"

namespace sluice::log {
namespace {

constexpr uint64_t kStepsMax = 2000;  // no script takes more
constexpr int kOps = 36;

// A machine that runs a seeded script on its log and remembers what was acknowledged.
class Machine {
 public:
  explicit Machine(uint64_t seed) : world_(seed), script_(seed) {}

  // Runs until the power goes, or the script ends. True if it ended.
  bool RunScript() {
    if (log_ == nullptr && !Open()) return false;
    for (int op = 0; op < kOps; ++op) {
      if (!DoOne(op)) return false;
    }
    return true;
  }

  // True when the log is open. A log that can be opened must hold what was acknowledged.
  bool Open() {
    log_.reset();
    for (int attempt = 0; attempt < 3; ++attempt) {
      auto opened = OpenSmall(world_.env(), "log", witness_);
      if (opened.has_value()) {
        log_ = std::move(opened->log);
        Verify();
        return true;
      }
      EXPECT_NE(opened.error().code, Code::kCorrupt) << opened.error().message;
      EXPECT_NE(opened.error().code, Code::kInvalid) << opened.error().message;
      if (!files().powered()) return false;
      // As the caller would: in a new process.
      files().RestartProcess();
    }
    ADD_FAILURE() << "the log does not open any more";
    return false;
  }

  void PowerOn() { files().Restart(); }
  void KillProcess() {
    log_.reset();
    files().RestartProcess();
  }

  bool Append(size_t bytes_max) {
    OwnGroup group = RandomGroup(script_, log_->next(), log_->term(), bytes_max);
    in_doubt_ = group;
    Status appended = AppendTo(*log_, group);
    if (!appended.ok() && appended.error().code == Code::kNoSpace) {
      appended = AppendTo(*log_, group);  // the fault is short-lived
    }
    if (appended.ok()) {
      acknowledged_.push_back(std::move(group));
      in_doubt_.reset();
      return true;
    }
    EXPECT_EQ(appended.error().code, Code::kOutcomeUnknown) << appended.error().message;
    // The log has fenced itself.
    EXPECT_EQ(AppendTo(*log_, *in_doubt_).error().code, Code::kFenced);
    return Recover();
  }

  env::SimFileSystem& files() { return world_.files; }
  size_t acknowledged() const { return acknowledged_.size(); }

 private:
  // After a failure: false if there is no power, else a new process opens the log.
  bool Recover() {
    if (!files().powered()) return false;
    KillProcess();
    return Open();
  }

  bool Mark(uint16_t flags) {
    Status marked = AppendMark(*log_, flags);
    if (!marked.ok() && marked.error().code == Code::kNoSpace) marked = AppendMark(*log_, flags);
    return marked.ok() || Recover();
  }

  bool Seal() {
    const model::Term term = log_->term().Next();
    Status sealed = log_->Seal(term);
    if (!sealed.ok() && sealed.error().code == Code::kNoSpace) sealed = log_->Seal(term);
    if (sealed.ok()) sealed_ = term;
    return sealed.ok() || Recover();
  }

  bool DoOne(int op) {
    const uint64_t choice = script_.Below(20);
    const model::Lsn some(1 + script_.Below(log_->next().value));
    if (op == 0) return Seal();
    if (choice < 9) return Append(2000);
    if (choice < 12) return Append(30'000);
    if (choice < 13) return Append(kSmallSegment + 5000);
    if (choice < 15) return Mark(kGroupWitness);
    if (choice == 15) return Seal();
    if (choice == 16) {
      // The store has applied so much.
      if (!acknowledged_.empty()) witness_ = std::max(witness_, model::Lsn(some.value - 1));
      return log_->Trim(std::min(some, witness_)).ok() || files().powered();
    }
    if (choice == 17) return log_->Prepare().ok() || files().powered();
    if (choice == 18) return Mark(kGroupCleanStop) && Reopen();
    return Reopen();
  }

  bool Reopen() {
    KillProcess();
    return Open();
  }

  void Verify() {
    const std::vector<OwnGroup> read = ReadGroups(*log_, log_->first());
    std::erase_if(acknowledged_, [&](const OwnGroup& group) {
      return group.last() < log_->first() && group.last() <= witness_;  // trimmed
    });
    const size_t known = acknowledged_.size();
    ASSERT_GE(read.size(), known) << "an acknowledged group is lost";
    for (size_t i = 0; i < known; ++i) ASSERT_EQ(read[i], acknowledged_[i]) << "group " << i;
    if (read.size() > known) {
      ASSERT_EQ(read.size(), known + 1);
      ASSERT_TRUE(in_doubt_.has_value() && read.back() == *in_doubt_)
          << "a group that nobody wrote";
      acknowledged_.push_back(read.back());
    }
    in_doubt_.reset();
    EXPECT_GE(log_->term(), sealed_);
  }

  env::SimWorld world_;
  Prng script_;
  std::unique_ptr<FileLog> log_;
  std::vector<OwnGroup> acknowledged_;
  std::optional<OwnGroup> in_doubt_;  // written when the log failed
  model::Lsn witness_{0};
  model::Term sealed_{0};
};

// After a fault the machine goes on: it writes more, loses power, and still has everything.
void GoOn(Machine& machine) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.Append(3000));
  machine.files().CutPower();
  machine.PowerOn();
  ASSERT_TRUE(machine.Open());
  ASSERT_TRUE(machine.Append(100));
}

// Goal:   no acknowledged group is lost by a power cut, and none appears that nobody wrote.
// Method: the same script again and again, the power cut one I/O step later each time.
// Broken: without the SyncDir after the rename of a new segment, or without the Sync of a group.
TEST(FileLogCrash, KeepsWhatWasAcknowledgedWhereverThePowerGoes) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    uint64_t step = 1;
    for (; step < kStepsMax; ++step) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", cut at step " << step);
      Machine machine(seed);
      machine.files().CutPowerAt(step);
      if (machine.RunScript()) break;
      machine.PowerOn();
      ASSERT_TRUE(machine.Open());
      GoOn(machine);
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_LT(step, kStepsMax);
    ASSERT_GT(step, 40u);  // the script did something
  }
}

// Goal:   recovery may itself be cut short, any number of times.
// Method: for every cut of the script, every cut of the recovery that follows; then a whole one.
// Broken: if recovery removed a superseded segment before its successor is durable.
TEST(FileLogCrash, RecoveryMayCrashAtEveryStep) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    bool script_done = false;
    for (uint64_t step = 1; !script_done; ++step) {
      bool recovery_done = false;
      for (uint64_t inner = 1; !recovery_done; ++inner) {
        SCOPED_TRACE(testing::Message()
                     << "seed " << seed << ", cuts at " << step << ", " << inner);
        Machine machine(seed);
        machine.files().CutPowerAt(step);
        script_done = machine.RunScript();
        if (script_done) break;
        machine.PowerOn();
        machine.files().CutPowerAt(inner);
        recovery_done = machine.Open();
        if (recovery_done) machine.files().CutPower();
        machine.PowerOn();
        ASSERT_TRUE(machine.Open());
        GoOn(machine);
        if (testing::Test::HasFailure()) return;
      }
      ASSERT_LT(step, kStepsMax);
    }
  }
}

// Goal:   a write, sync, rename or creation that fails loses nothing, and the log serves again.
// Method: every step of the script fails once, with EIO and with ENOSPC; a log that fenced itself
//         is opened by a new process on the same page cache; later the power goes.
// Broken: if recovery trusted an unwitnessed group as it reads back from the page cache.
TEST(FileLogCrash, SurvivesAFailureOfEveryStep) {
  for (const Code code : {Code::kIo, Code::kNoSpace}) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      uint64_t step = 1;
      for (; step < kStepsMax; ++step) {
        SCOPED_TRACE(testing::Message()
                     << "seed " << seed << ", " << CodeName(code) << " at step " << step);
        Machine machine(seed);
        machine.files().FailAt(step, code);
        ASSERT_TRUE(machine.RunScript());
        const bool past_end = machine.files().steps() < step;
        GoOn(machine);
        if (testing::Test::HasFailure()) return;
        if (past_end) break;
      }
      ASSERT_LT(step, kStepsMax);
    }
  }
}

// Goal:   a directory sync that failed leaves names that may still go back, and the log knows it.
// Method: each directory sync of the script fails; then the power goes at each later step.
TEST(FileLogCrash, TrustsNoNameThatWasNotSynced) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    std::vector<uint64_t> syncs;
    uint64_t last_step = 0;
    {
      Machine machine(seed);
      machine.files().OnStep([&](env::SimStep kind, const std::string&) {
        if (kind == env::SimStep::kSyncDir) syncs.push_back(machine.files().steps());
      });
      ASSERT_TRUE(machine.RunScript());
      last_step = machine.files().steps();
    }
    for (const uint64_t failed : syncs) {
      for (uint64_t cut = failed + 1; cut < last_step + 5; ++cut) {
        SCOPED_TRACE(testing::Message()
                     << "seed " << seed << ", failure at " << failed << ", cut at " << cut);
        Machine machine(seed);
        machine.files().FailAt(failed, Code::kIo);
        machine.files().CutPowerAt(cut);
        if (machine.RunScript()) machine.files().CutPower();
        machine.PowerOn();
        ASSERT_TRUE(machine.Open());
        GoOn(machine);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

// Goal:   a trimmed segment's file is not written anew while its old name may come back.
// Method: the directory sync of a trim fails, the process dies, and the power goes at each step of
//         the next start, which finds that file as a spare.
// Broken: if a start used spare files without syncing the directory first.
TEST(FileLogCrash, AFileHasOneNameBeforeItIsWrittenAnew) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (uint64_t cut = 1; cut <= 12; ++cut) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", cut at step " << cut);
      env::SimWorld world(seed);
      Prng prng(seed);
      std::vector<OwnGroup> groups;
      {
        auto opened = OpenSmall(world.env(), "log");
        ASSERT_TRUE(opened.has_value());
        FileLog& log = *opened->log;
        while (log.bytes() < 2 * kSmallSegment) {
          groups.push_back(RandomGroup(prng, log.next(), log.term(), 20'000));
          ASSERT_TRUE(AppendTo(log, groups.back()).ok());
        }
        world.files.FailAt(2, Code::kIo);
        ASSERT_FALSE(log.Trim(log.next()).ok());
      }
      world.files.RestartProcess();
      world.files.CutPowerAt(cut);
      (void)OpenSmall(world.env(), "log");
      world.files.CutPower();
      world.files.Restart();
      const auto opened = OpenSmall(world.env(), "log", groups.back().last());
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      EXPECT_EQ(ReadGroups(*opened->log, groups.back().first).front(), groups.back());
    }
  }
}

// Goal:   crash loops take no disk.
// Method: open, seal, die; fifty times.
TEST(FileLogCrash, RestartsInARowTakeConstantSpace) {
  env::SimWorld world(1);
  size_t files_after_two = 0;
  for (int i = 0; i < 50; ++i) {
    {
      auto opened = OpenSmall(world.env(), "log");
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      ASSERT_TRUE(opened->log->Seal(opened->log->term().Next()).ok());
      EXPECT_EQ(opened->log->term(), model::Term(static_cast<uint32_t>(i + 1)));
    }
    world.files.RestartProcess();
    if (i == 2) files_after_two = world.files.Paths().size();
  }
  EXPECT_EQ(world.files.Paths().size(), files_after_two);
}

// Goal:   a full disk refuses new segments before anything is written, is lived through, and can
//         be recovered while full.
// Method: fill the disk in the middle; append until refused; kill; recover on the full disk; free.
TEST(FileLogCrash, LivesThroughAFullDisk) {
  env::SimWorld world(3);
  Prng prng(3);
  auto opened = OpenSmall(world.env(), "log");
  ASSERT_TRUE(opened.has_value());
  ASSERT_TRUE(opened->log->Prepare().ok());
  world.files.SetFull(true);
  std::vector<OwnGroup> groups;
  for (;;) {
    OwnGroup group = RandomGroup(prng, opened->log->next(), model::Term(0), 9000);
    const model::Lsn next = opened->log->next();
    const Status appended = AppendTo(*opened->log, group);
    if (!appended.ok()) {
      EXPECT_EQ(appended.error().code, Code::kNoSpace);
      EXPECT_EQ(opened->log->next(), next);
      break;
    }
    groups.push_back(std::move(group));
    ASSERT_LT(groups.size(), 1000u);
  }
  EXPECT_EQ(opened->log->Prepare().error().code, Code::kNoSpace);
  opened->log.reset();
  world.files.RestartProcess();
  opened = OpenSmall(world.env(), "log");
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(ReadGroups(*opened->log, model::Lsn(1)), groups);
  world.files.SetFull(false);
  for (int i = 0; i < 20; ++i) {
    OwnGroup group = RandomGroup(prng, opened->log->next(), model::Term(0), 9000);
    ASSERT_TRUE(AppendTo(*opened->log, group).ok());
    groups.push_back(std::move(group));
  }
  EXPECT_EQ(ReadGroups(*opened->log, model::Lsn(1)), groups);
}

}  // namespace
}  // namespace sluice::log
