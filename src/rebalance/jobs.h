// Jobs: splits, merges and moves of shards, one after the other, each a small state machine.
//
//   prepare   where to cut, what moves
//   store     (what changes lanes) the lane brings what it holds in memory to the store, so that
//             little is left to be lent
//   commit    the changed map becomes the topology, by one compare-and-swap: from here on the job
//             will have happened, whatever crashes
//   cutover   the lanes take the map over, between two turns
//   settle    (what changed lanes) what was lent reaches the store
//
// At its end the map is read back, and compared with what the lanes serve by.
//
// A crash before the commit leaves nothing of a job, one after it leaves it done: nothing about
// jobs is kept but the map. A merge of shards of two lanes moves the second one first, with a
// commit of its own.
//
// Before its commit a job can be paused, and resumed. After it there is nothing to wait for: it
// goes on to its end, and that is the answer; else it would hold up all others, whose maps build on
// what it committed. Aborted: up to the commit nothing was; in the cutover the map before it is
// committed again, and no record was written by the other; later it has happened, and that is the
// answer.
//
// Before it begins, and again before it commits, a job asks for a share of the node's budget, at
// the lowest class, and waits for it: throttled is a state, not a failure.
//
// Owns:     the jobs. Borrows hands and clock.
// Threads:  Step by one. All else by any; one lock, held while hands are asked whether an order can
//           be, and not while they work.
// Bounds:   kJobsMax that have not ended, kEndedMax that have; the oldest is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "model/shard_map.h"
#include "rebalance/hands.h"

namespace sluice::rebalance {

inline constexpr size_t kJobsMax = 64;
inline constexpr size_t kEndedMax = 256;
inline constexpr uint64_t kRetryUs = 100'000;  // until the lanes are asked again to take a map over
inline constexpr uint64_t kLookUs = 5'000;     // at what a job waits for
// Lanes that could not take a map over for so long: what was committed is taken back.
inline constexpr uint64_t kCutoverUsMost = 60'000'000;

enum class JobKind : uint8_t { kSplit, kMerge, kMove };
enum class JobPhase : uint8_t { kPrepare, kStore, kCommit, kCutover, kSettle, kEnded };
inline constexpr size_t kPhases = 6;
enum class JobState : uint8_t { kQueued, kRunning, kThrottled, kPaused, kDone, kAborted, kFailed };
std::string_view NameOf(JobKind kind);
std::string_view NameOf(JobPhase phase);
std::string_view NameOf(JobState state);

struct JobOrder {
  JobKind kind = JobKind::kSplit;
  model::ShardId shard = {};
  model::ShardId with = {};                  // of a merge
  std::optional<std::string> at_key = {};    // of a split: the first key of the upper part,
  std::optional<std::string> at_token = {};  // or its token; neither: where the load halves
  model::LaneId to = {};                     // of a move
  std::string reason;                        // who wants it, and why
};

struct JobReport {
  uint64_t id = 0;
  JobOrder order;
  JobState state = JobState::kQueued;
  JobPhase phase = JobPhase::kPrepare;
  uint32_t percent = 0;
  std::optional<uint64_t> eta_ms;       // none: nobody knows
  std::string waits_for;                // empty: for nothing
  std::string error;                    // why it failed, or what stays of one that was aborted
  std::string verification;             // of what happened: what was compared, or why it was not
  std::vector<model::ShardId> made;     // shards that it made
  uint64_t asked_ms = 0, ended_ms = 0;  // wall clock; 0: not yet

  bool ended() const { return phase == JobPhase::kEnded; }
};

class Jobs {
 public:
  // Hears of each job when it was asked for, and when it has ended; by the thread that does it.
  using Tell = std::function<void(const JobReport&)>;
  Jobs(
      Hands& hands, env::Clock& clock, Tell tell = [](const JobReport&) {})
      : hands_(hands), clock_(clock), tell_(std::move(tell)) {}

  // Queues the job; its id. All that can be known to be wrong is said at once:
  //   kNotFound, kInvalid, kConflict  as of route/map_change.h; for shards with a job under way.
  //   kUnavailable                    there are kJobsMax.
  Result<uint64_t> Start(const JobOrder& order);
  // kNotFound: there is no such job. kConflict: it has ended, cannot be paused or aborted any more,
  // or is not paused. Paused is that nothing of it happens until Resume.
  Status Pause(uint64_t id);
  Status Resume(uint64_t id);
  Status Abort(uint64_t id);
  std::vector<JobReport> List() const;  // the latest first

  // Whether a job that has not ended is about the shard.
  bool IsBusy(model::ShardId shard) const;
  size_t under_way() const;

  // Does what can be done now, in one step of one job. When to be called next, in monotonic
  // microseconds; ~0: when there is a new job.
  uint64_t Step();

 private:
  struct Job {
    JobReport report;
    bool abort = false, paused = false;
    uint64_t phase_us = 0;  // when this phase began
    uint64_t stored_before = 0;
    model::LaneId from = {};  // of what changes lanes
    bool asked_store = false, moved = false;
    bool committing = false;  // it cannot be paused any more

    // Of two commits the first is under way, or has been: a merge of shards of two lanes.
    bool commits_again() const {
      return report.order.kind == JobKind::kMerge && report.phase > JobPhase::kPrepare && !moved;
    }
    // The first has happened: of a merge, since a move never counts itself as moved.
    bool moved_first() const { return moved && asked_store; }
    bool rests() const {
      return paused && !abort && !committing && report.phase <= JobPhase::kCommit;
    }
    std::shared_ptr<const route::TopologyContent> next, before;  // around the commit
  };

  Result<JobReport> Take(const JobOrder& order);
  JobReport Close(Job& job, JobState state, std::string error);
  Status Check(const JobOrder& order) const;                              // requires the lock
  Job* Find(uint64_t id);                                                 // requires the lock
  Job* Current();                                                         // requires the lock
  std::optional<uint64_t> LeftUs(const Job& job, uint64_t now_us) const;  // requires the lock
  void Learn(const Job& job);                                             // requires the lock
  bool Heeds(Job& job);
  uint64_t Work(Job& job);
  std::optional<uint64_t> Throttled(Job& job);
  uint64_t Prepare(Job& job);
  uint64_t Store(Job& job);
  uint64_t Commit(Job& job);
  uint64_t Cutover(Job& job);
  uint64_t Settle(Job& job);
  uint64_t TakeBack(Job& job, JobState state, std::string error);
  Result<route::TopologyContent> NextMap(Job& job);
  uint64_t Enter(Job& job, JobPhase phase);
  uint64_t Wait(Job& job, JobState state, std::string what, uint64_t us);
  uint64_t Finish(Job& job);
  uint64_t End(Job& job, JobState state, std::string error = {});

  Hands& hands_;
  env::Clock& clock_;
  const Tell tell_;
  mutable std::mutex mutex_;
  std::list<Job> jobs_;  // in the order of their ids; one that works stays where it is
  uint64_t next_id_ = 1;
  std::array<std::optional<uint64_t>, kPhases> typical_us_;  // of each phase, of late
};

}  // namespace sluice::rebalance
