// The steps of a job. Only Step's thread changes a job but for `abort` and `paused`, so it reads
// without the lock what it alone writes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "rebalance/jobs.h"
#include "route/map_change.h"

namespace sluice::rebalance {
namespace {

constexpr uint64_t kForever = ~uint64_t{0};
constexpr std::string_view kUnchanged = "the topology could not be changed, and nothing has: ";
constexpr std::string_view kUnknown =
    "which map the topology holds is not known until the next start; until then the lanes serve by "
    "the one that they have: ";
constexpr std::string_view kStaysMoved =
    "the second shard had been moved to the lane of the first, and stays there";
constexpr std::string_view kDiffers =
    "it has happened, and what was read back is not what it made; the next start serves by what "
    "the topology holds";

constexpr uint32_t PercentOf(JobPhase phase) {
  constexpr uint32_t kPercents[] = {0, 10, 60, 70, 80, 100};
  return kPercents[static_cast<size_t>(phase)];
}

// The shards of `next` that `before` does not have.
std::vector<model::ShardId> MadeBy(const model::ShardMap& before, const model::ShardMap& next) {
  std::vector<model::ShardId> made;
  for (const model::Shard& shard : next.shards()) {
    if (!route::FindShard(before, shard.id).has_value()) made.push_back(shard.id);
  }
  return made;
}

// `before` again, as a change that comes after `now`: identities that were given out stay so.
route::TopologyContent TakenBack(const route::TopologyContent& now,
                                 const route::TopologyContent& before) {
  route::TopologyContent again = now;
  again.map =
      *model::ShardMap::Make(now.map->epoch().Next(), before.map->shards(), before.map->retired());
  return again;
}

}  // namespace

// The one that works: what was committed comes to its end before anything else. What is given up
// before its commit waits for nobody.
Jobs::Job* Jobs::Current() {
  Job* first = nullptr;
  for (Job& job : jobs_) {
    if (job.abort && job.report.phase <= JobPhase::kCommit) return &job;
  }
  for (Job& job : jobs_) {
    if (job.report.ended()) continue;
    if (job.report.phase > JobPhase::kCommit) return &job;
    if (first == nullptr && !job.rests()) first = &job;
  }
  return first;
}

uint64_t Jobs::Step() {
  Job* job = nullptr;
  {
    const std::lock_guard lock(mutex_);
    job = Current();
    if (job == nullptr) return kForever;
    if (job->report.state == JobState::kQueued) job->report.state = JobState::kRunning;
  }
  if (!Heeds(*job)) return 0;
  return Work(*job);
}

// False: the job ended, as it was told to.
bool Jobs::Heeds(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (!job.abort) return true;
  }
  if (job.report.phase == JobPhase::kCutover) {
    TakeBack(job, JobState::kAborted, {});
  } else {
    End(job, JobState::kAborted);
  }
  return false;
}

uint64_t Jobs::Work(Job& job) {
  switch (job.report.phase) {
    case JobPhase::kPrepare:
      return Prepare(job);
    case JobPhase::kStore:
      return Store(job);
    case JobPhase::kCommit:
      return Commit(job);
    case JobPhase::kCutover:
      return Cutover(job);
    case JobPhase::kSettle:
      return Settle(job);
    case JobPhase::kEnded:
      break;
  }
  return kForever;
}

uint64_t Jobs::Enter(Job& job, JobPhase phase) {
  const std::lock_guard lock(mutex_);
  Learn(job);
  job.committing = false;
  job.report.phase = phase;
  job.report.percent = std::max(job.report.percent, PercentOf(phase));
  job.report.waits_for.clear();
  job.report.state = JobState::kRunning;
  job.phase_us = clock_.MonotonicUs();
  return 0;
}

uint64_t Jobs::Wait(Job& job, JobState state, std::string what, uint64_t us) {
  const std::lock_guard lock(mutex_);
  job.report.state = state;
  job.report.waits_for = std::move(what);
  const uint64_t now_us = clock_.MonotonicUs();
  if (state == JobState::kThrottled) job.phase_us = now_us;  // it begins anew
  return now_us + us;
}

// It has happened: what there is to see of it is compared.
uint64_t Jobs::Finish(Job& job) {
  auto compared = hands_.Verify();
  const bool differs = !compared.has_value() && compared.error().code == Code::kCorrupt;
  std::string error = differs ? std::string(kDiffers) : std::string();
  {
    const std::lock_guard lock(mutex_);
    job.report.verification = compared.has_value() ? std::move(*compared)
                              : differs            ? "failed: " + compared.error().message
                                                   : "not done: " + compared.error().message;
  }
  return End(job, differs ? JobState::kFailed : JobState::kDone, std::move(error));
}

uint64_t Jobs::End(Job& job, JobState state, std::string error) {
  tell_(Close(job, state, std::move(error)));
  return 0;
}

JobReport Jobs::Close(Job& job, JobState state, std::string error) {
  const std::lock_guard lock(mutex_);
  JobReport& report = job.report;
  if (state == JobState::kDone) Learn(job);
  report.state = state;
  report.phase = JobPhase::kEnded;
  if (state == JobState::kDone) report.percent = 100;
  report.error = std::move(error);
  if (state != JobState::kDone && job.moved_first()) {
    report.error += fmt::format("{}{}", report.error.empty() ? "" : "; ", kStaysMoved);
  }
  report.waits_for.clear();
  report.ended_ms = clock_.WallMs();
  job.next = job.before = nullptr;
  return report;
}

// How long the phase took that comes to its end.
void Jobs::Learn(const Job& job) {
  std::optional<uint64_t>& typical_us = typical_us_[static_cast<size_t>(job.report.phase)];
  const uint64_t took_us = clock_.MonotonicUs() - job.phase_us;
  typical_us = typical_us ? (3 * *typical_us + took_us) / 4 : took_us;
}

std::optional<uint64_t> Jobs::Throttled(Job& job) {
  std::string waits = hands_.Admit();
  if (waits.empty()) return std::nullopt;
  return Wait(job, JobState::kThrottled, std::move(waits), kRetryUs);
}

uint64_t Jobs::Prepare(Job& job) {
  if (const auto next_us = Throttled(job)) return *next_us;
  JobOrder& order = job.report.order;
  const std::shared_ptr<const route::TopologyContent> now = hands_.Now();
  const model::ShardMap& map = *now->map;
  const auto at = route::FindShard(map, order.shard);
  if (!at.has_value()) return End(job, JobState::kFailed, at.error().message);
  const model::Shard& shard = map.shards()[*at];
  if (order.kind == JobKind::kSplit && !order.at_token) {
    auto cut = order.at_key ? hands_.TokenOf(shard, *order.at_key) : hands_.LoadMedian(shard.id);
    if (!cut.has_value()) return End(job, JobState::kFailed, cut.error().message);
    const std::lock_guard lock(mutex_);
    order.at_token = std::move(*cut);
  }
  // What changes lanes: the shard of a move; of a merge the second one, if its lane is another.
  bool moves = order.kind == JobKind::kMove;
  job.from = shard.lane;
  if (order.kind == JobKind::kMerge) {
    const auto with = route::FindShard(map, order.with);
    if (!with.has_value()) return End(job, JobState::kFailed, with.error().message);
    moves = map.shards()[*with].lane != shard.lane;
    job.from = map.shards()[*with].lane;
  }
  {
    const std::lock_guard lock(mutex_);
    job.moved = !moves;
  }
  return Enter(job, moves ? JobPhase::kStore : JobPhase::kCommit);
}

uint64_t Jobs::Store(Job& job) {
  if (!job.asked_store) {
    job.stored_before = hands_.Stored(job.from);
    hands_.BeginStore(job.from);
    job.asked_store = true;
  }
  if (hands_.Stored(job.from) > job.stored_before) return Enter(job, JobPhase::kCommit);
  return Wait(job, JobState::kRunning, "the write buffer of the shard's lane to reach the store",
              kLookUs);
}

Result<route::TopologyContent> Jobs::NextMap(Job& job) {
  const JobOrder& order = job.report.order;
  const std::shared_ptr<const route::TopologyContent> held = hands_.Now();
  const route::TopologyContent& now = *held;
  const auto draw = [this] { return hands_.Draw(); };
  if (order.kind == JobKind::kSplit) {
    return route::SplitShard(now, order.shard, *order.at_token, draw);
  }
  if (order.kind == JobKind::kMove) return route::MoveShard(now, order.shard, order.to);
  if (job.moved) return route::MergeShards(now, order.shard, order.with, draw);
  SLUICE_ASSIGN(const size_t at, route::FindShard(*now.map, order.shard));
  return route::MoveShard(now, order.with, now.map->shards()[at].lane);
}

uint64_t Jobs::Commit(Job& job) {
  if (const auto next_us = Throttled(job)) return *next_us;
  auto next = NextMap(job);
  if (!next.has_value()) return End(job, JobState::kFailed, next.error().message);
  {
    const std::lock_guard lock(mutex_);
    if (job.paused || job.abort) return 0;
    job.committing = true;
  }
  job.before = hands_.Now();
  if (const Status committed = hands_.Commit(*next); !committed.ok()) {
    const bool unknown = committed.error().code == Code::kOutcomeUnknown;
    return End(job, JobState::kFailed,
               fmt::format("{}{}", unknown ? kUnknown : kUnchanged, committed.error().message));
  }
  job.next = hands_.Now();
  return Enter(job, JobPhase::kCutover);
}

uint64_t Jobs::Cutover(Job& job) {
  std::string waits = hands_.TakeOver();
  if (!waits.empty()) {
    if (clock_.MonotonicUs() - job.phase_us > kCutoverUsMost) {
      return TakeBack(
          job, JobState::kFailed,
          fmt::format("the lanes did not come to rest within {} s, for: {}; nothing has "
                      "changed",
                      kCutoverUsMost / 1'000'000, waits));
    }
    return Wait(job, JobState::kRunning, std::move(waits), std::max(kRetryUs, hands_.RestUs()));
  }
  const bool was_move = !job.moved || job.report.order.kind == JobKind::kMove;
  {
    const std::lock_guard lock(mutex_);
    job.report.made = MadeBy(*job.before->map, *job.next->map);
  }
  if (was_move) return Enter(job, JobPhase::kSettle);
  return Finish(job);
}

uint64_t Jobs::Settle(Job& job) {
  if (!hands_.Settled()) {
    return Wait(job, JobState::kRunning, "what was lent to reach the store", kLookUs);
  }
  if (job.report.order.kind == JobKind::kMove) return Finish(job);
  {
    const std::lock_guard lock(mutex_);
    job.moved = true;
  }
  return Enter(job, JobPhase::kCommit);
}

uint64_t Jobs::TakeBack(Job& job, JobState state, std::string error) {
  const Status committed = hands_.Commit(TakenBack(*hands_.Now(), *job.before));
  if (committed.ok()) return End(job, state, std::move(error));
  // The map that the lanes have is right by either of the two.
  if (committed.error().code == Code::kOutcomeUnknown) {
    return End(job, JobState::kFailed, fmt::format("{}{}", kUnknown, committed.error().message));
  }
  // Then it goes on: what holds is the changed map.
  const std::lock_guard lock(mutex_);
  job.abort = false;
  job.phase_us = clock_.MonotonicUs();
  job.report.error = "it could not be taken back: " + committed.error().message;
  return clock_.MonotonicUs() + kRetryUs;
}

}  // namespace sluice::rebalance
