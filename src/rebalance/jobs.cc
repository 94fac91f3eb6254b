#include "rebalance/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "route/map_change.h"

namespace sluice::rebalance {
namespace {

bool Concerns(const JobOrder& order, model::ShardId shard) {
  return order.shard == shard || (order.kind == JobKind::kMerge && order.with == shard);
}

}  // namespace

std::string_view NameOf(JobKind kind) {
  constexpr std::string_view kNames[] = {"split", "merge", "move"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view NameOf(JobPhase phase) {
  constexpr std::string_view kNames[] = {"prepare", "store",  "commit",
                                         "cutover", "settle", "ended"};
  return kNames[static_cast<size_t>(phase)];
}

std::string_view NameOf(JobState state) {
  constexpr std::string_view kNames[] = {"queued", "running", "throttled", "paused",
                                         "done",   "aborted", "failed"};
  return kNames[static_cast<size_t>(state)];
}

// --- Orders. ---

Status Jobs::Check(const JobOrder& order) const {
  const std::shared_ptr<const route::TopologyContent> now = hands_.Now();
  const model::ShardMap& map = *now->map;
  // Identities of a map that is thrown away.
  const auto draw = [n = std::make_shared<uint64_t>(0)] { return ++*n; };
  SLUICE_ASSIGN(const size_t at, route::FindShard(map, order.shard));
  for (const Job& job : jobs_) {
    const bool meets = Concerns(job.report.order, order.shard) ||
                       (order.kind == JobKind::kMerge && Concerns(job.report.order, order.with));
    if (job.report.ended() || !meets) continue;
    return Fail(Code::kConflict,
                fmt::format("job {} is about that shard and has not ended", job.report.id));
  }
  switch (order.kind) {
    case JobKind::kSplit: {
      if (!order.at_key && !order.at_token) {
        const auto cut = hands_.LoadMedian(order.shard);  // asked again when its turn comes
        if (!cut.has_value()) return Fail(cut.error());
      }
      if (!order.at_key) return Ok();
      SLUICE_ASSIGN(const std::string cut, hands_.TokenOf(map.shards()[at], *order.at_key));
      return route::SplitShard(*now, order.shard, cut, draw).has_value()
                 ? Ok()
                 : Fail(Code::kInvalid,
                        "that key is not within the shard, or the first that may be: one part "
                        "would be empty. SLUICE ROUTE says where a key lives");
    }
    case JobKind::kMerge: {
      SLUICE_ASSIGN(const size_t with, route::FindShard(map, order.with));
      // Owners may differ: then the second one is moved first.
      const model::Shard& a = map.shards()[std::min(at, with)];
      const model::Shard& b = map.shards()[std::max(at, with)];
      if (at != with && a.keyspace == b.keyspace && a.end == b.begin && a.region == b.region) {
        return Ok();
      }
      return Fail(route::MergeShards(*now, order.shard, order.with, draw).error());
    }
    case JobKind::kMove:
      if (order.to.value < hands_.lanes()) {
        return Status(route::MoveShard(*now, order.shard, order.to).has_value()
                          ? Ok()
                          : Fail(Code::kInvalid, fmt::format("lane {} owns shard {} already",
                                                             order.to.value, order.shard.value)));
      }
      if (hands_.lanes() == 1) {
        return Fail(Code::kInvalid,
                    "this node has one lane, which owns all shards; server.lanes sets how many it "
                    "has from the next start on");
      }
      return Fail(Code::kInvalid, fmt::format("there is no lane {}; they are 0 to {}",
                                              order.to.value, hands_.lanes() - 1));
  }
  return Ok();
}

Result<uint64_t> Jobs::Start(const JobOrder& order) {
  auto taken = Take(order);
  if (!taken) return Fail(taken.error());
  tell_(*taken);
  return taken->id;
}

Result<JobReport> Jobs::Take(const JobOrder& order) {
  const std::lock_guard lock(mutex_);
  SLUICE_TRY(Check(order));
  const auto open =
      std::count_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return !job.report.ended(); });
  if (open >= static_cast<ptrdiff_t>(kJobsMax)) {
    return Fail(Code::kUnavailable, fmt::format("{} jobs wait already", open));
  }
  const auto oldest =
      std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.report.ended(); });
  if (jobs_.size() - static_cast<size_t>(open) >= kEndedMax) jobs_.erase(oldest);
  Job& job = jobs_.emplace_back();
  job.report.id = next_id_++;
  job.report.order = order;
  job.report.asked_ms = clock_.WallMs();
  return job.report;
}

Jobs::Job* Jobs::Find(uint64_t id) {
  const auto at =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.report.id == id; });
  return at == jobs_.end() ? nullptr : &*at;
}

namespace {

Error NoJob(uint64_t id) {
  return {Code::kNotFound, fmt::format("there is no job {}; SLUICE JOBS lists them", id)};
}
Error HasEnded(uint64_t id, JobState state) {
  return {Code::kConflict, fmt::format("job {} has ended: {}", id, NameOf(state))};
}

}  // namespace

Status Jobs::Pause(uint64_t id) {
  const std::lock_guard lock(mutex_);
  Job* const job = Find(id);
  if (job == nullptr) return Fail(NoJob(id));
  if (job->report.ended()) return Fail(HasEnded(id, job->report.state));
  const bool committed = job->committing || job->report.phase > JobPhase::kCommit;
  if (committed && !job->commits_again()) {
    return Fail(Code::kConflict,
                fmt::format("job {} has committed its change and goes on to its end, so that it "
                            "holds no other up; JOB PAUSE is for jobs before their commit",
                            id));
  }
  job->paused = true;
  return Ok();
}

Status Jobs::Resume(uint64_t id) {
  const std::lock_guard lock(mutex_);
  Job* const job = Find(id);
  if (job == nullptr) return Fail(NoJob(id));
  if (job->report.ended()) return Fail(HasEnded(id, job->report.state));
  if (!job->paused) return Fail(Code::kConflict, fmt::format("job {} is not paused", id));
  job->paused = false;
  return Ok();
}

Status Jobs::Abort(uint64_t id) {
  const std::lock_guard lock(mutex_);
  Job* const job = Find(id);
  if (job == nullptr) return Fail(NoJob(id));
  if (job->report.ended()) return Fail(HasEnded(id, job->report.state));
  if (job->report.phase == JobPhase::kSettle) {
    return Fail(Code::kConflict,
                fmt::format("job {} has happened: the lanes serve by the new map. What is left is "
                            "writing to the store. Order the opposite to undo it",
                            id));
  }
  job->abort = true;
  return Ok();
}

std::vector<JobReport> Jobs::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<JobReport> reports;
  const uint64_t now_us = clock_.MonotonicUs();
  std::optional<uint64_t> ahead_us = 0;  // until it is a job's turn
  for (const Job& job : jobs_) {
    JobReport& report = reports.emplace_back(job.report);
    if (report.ended()) continue;
    if (job.rests()) {
      report.state = JobState::kPaused;
      continue;
    }
    const auto left_us = LeftUs(job, now_us);
    const bool known = ahead_us && left_us && report.state != JobState::kThrottled;
    ahead_us = known ? std::optional(*ahead_us + *left_us) : std::nullopt;
    if (ahead_us) report.eta_ms = *ahead_us / 1000;
  }
  std::reverse(reports.begin(), reports.end());
  return reports;
}

std::optional<uint64_t> Jobs::LeftUs(const Job& job, uint64_t now_us) const {
  const JobPhase at = job.report.phase;
  const bool moves =
      at == JobPhase::kPrepare ? job.report.order.kind == JobKind::kMove : !job.moved;
  uint64_t left_us = 0;
  for (const JobPhase phase :
       {JobPhase::kStore, JobPhase::kCommit, JobPhase::kCutover, JobPhase::kSettle}) {
    const bool always = phase == JobPhase::kCommit || phase == JobPhase::kCutover;
    const uint64_t times =
        (phase >= at && (always || moves) ? 1 : 0) + (always && job.commits_again() ? 1 : 0);
    if (times == 0) continue;
    const std::optional<uint64_t>& typical_us = typical_us_[static_cast<size_t>(phase)];
    if (!typical_us) return std::nullopt;
    left_us += times * *typical_us;
    if (phase == at) left_us -= std::min(*typical_us, now_us - job.phase_us);
  }
  return left_us;
}

bool Jobs::IsBusy(model::ShardId shard) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) {
    return !job.report.ended() && Concerns(job.report.order, shard);
  });
}

size_t Jobs::under_way() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::count_if(jobs_.begin(), jobs_.end(),
                                           [](const Job& job) { return !job.report.ended(); }));
}

}  // namespace sluice::rebalance
