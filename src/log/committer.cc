#include "log/committer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace sluice::log {
namespace {
constexpr uint64_t kNever = ~uint64_t{0};
}  // namespace

Committer::Committer(Log& log, env::Clock& clock, CommitterLimits limits,
                     std::unordered_map<model::Lineage, model::ShardSeq> next_seq)
    : log_(log),
      clock_(clock),
      queue_bytes_max_(limits.queue_bytes_max),
      group_bytes_(limits.group_bytes),
      group_delay_us_(limits.group_delay_us),
      target_us_(limits.latency_target_us),
      durable_(log.next().value - 1),
      appended_(log.next().value - 1),
      patient_from_(kNever) {
  for (const auto& [lineage, next] : next_seq) counters_[lineage].next = next;
}

Committer::Group& Committer::OpenGroup() {
  const bool front_is_written = writing_ && groups_.size() == 1;
  if (!groups_.empty() && !groups_.back()->full && !front_is_written) return *groups_.back();
  std::unique_ptr<Group> group;
  if (idle_.empty()) {
    group = std::make_unique<Group>();
  } else {
    group = std::move(idle_.back());
    idle_.pop_back();
  }
  group->buffer.Clear();
  group->spans.clear();
  group->first = appended().Next();
  group->records = 0;
  group->time = {};
  group->number = next_number_++;
  group->times = {};
  group->times.since_us = group->times.last_us = clock_.MonotonicUs();
  group->by_bytes = group->full = group->awaited = group->window_opened = false;
  groups_.push_back(std::move(group));
  news_ = true;
  return *groups_.back();
}

void Committer::CountShards(Group& group, std::span<const ShardSpan> shards) {
  for (const ShardSpan& shard : shards) {
    Counter& counter = counters_[shard.lineage];
    ShardSpan* span = nullptr;
    if (counter.group == group.number) span = &group.spans[counter.span];
    if (span == nullptr || span->epoch != shard.epoch || span->shard != shard.shard) {
      counter.group = group.number;
      counter.span = group.spans.size();
      span = &group.spans.emplace_back(shard);
      span->first_seq = counter.next;
      span->records = 0;
    }
    span->records += shard.records;
    counter.next = model::ShardSeq(counter.next.value + shard.records);
  }
}

Result<Placed> Committer::Append(const Batch& batch) {
  SLUICE_CHECK(batch.records > 0 && batch.bytes.size() <= kBatchBytesMax);
  bool notify = false;
  Placed placed;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return Fail(Code::kOutcomeUnknown, "the log failed");
    if (closing_) return Fail(Code::kUnavailable, "the log is closing");
    const bool had_news = news_;
    Group& group = OpenGroup();
    CountShards(group, batch.shards);
    group.buffer.AddBatch(batch.bytes, batch.records, batch.time);
    group.records += batch.records;
    ++group.times.arrivals;
    if (target_us_ > 0) group.times.last_us = clock_.MonotonicUs();
    group.time = std::max(group.time, batch.time);
    const size_t bytes = kBatchHeadBytes + batch.bytes.size();
    const size_t size = group.buffer.batches().size();
    if (!group.by_bytes && size >= group_bytes_) group.by_bytes = news_ = true;
    group.full = size >= group_bytes_ * kGroupGrowth;
    if (batch.awaited && !group.awaited) group.awaited = news_ = true;
    patient_from_ = group.awaited ? kNever : group.first.value;
    log_bytes_ += bytes;
    pending_bytes_ += bytes;
    appended_ = group.first.value + group.records - 1;
    placed = {appended(), log_bytes_};
    notify = news_ && !had_news;
  }
  if (notify) work_.notify_one();
  return placed;
}

void Committer::Hurry(model::Lsn lsn) {
  if (lsn.value < patient_from_) return;
  {
    const std::lock_guard lock(mutex_);
    if (groups_.empty() || groups_.back()->first > lsn) return;
    groups_.back()->awaited = news_ = true;
    patient_from_ = kNever;
  }
  work_.notify_one();
}

Committer::Group* Committer::TakeDue(uint64_t now_us, uint64_t* wait_until) {
  const std::lock_guard lock(mutex_);
  news_ = false;
  *wait_until = 0;
  if (groups_.empty()) return nullptr;
  Group& group = *groups_.front();
  if (writing_) return &group;  // again, after the disk was full
  const std::optional<log::Close> close = CloseOf(group, now_us);
  if (!close) {
    *wait_until = group.times.due_us;
    return nullptr;
  }
  meters_.closes[*close].Add();
  writing_ = true;
  return &group;
}

// Why the group is to be written now; nothing: it stays open until its due_us.
std::optional<log::Close> Committer::CloseOf(Group& group, uint64_t now_us) {
  GroupTimes& times = group.times;
  times.due_us = now_us;
  if (group.by_bytes) return Close::kBytes;
  if (closing_) return Close::kIdle;
  uint64_t delay_us = group_delay_us_;
  auto reason = Close::kDelay;
  uint64_t quiet_us = kNever;
  if (target_us_ > 0 && group.awaited) {
    const uint64_t bound_us = group_delay_us_ > 0 ? group_delay_us_ : target_us_;
    if (!group.window_opened) {
      times.window_us = window_.Open(now_us, target_us_, bound_us);
      group.window_opened = true;
      meters_.window_us.Set(static_cast<int64_t>(times.window_us));
    }
    delay_us = times.window_us;
    if (delay_us < bound_us) reason = Close::kTarget;
    quiet_us = times.last_us + window_.quiet_us();
  }
  if (!group.awaited) delay_us = std::max(delay_us, kPatienceUs);
  if (delay_us == 0) return Close::kIdle;
  times.due_us = std::min(times.since_us + delay_us, quiet_us);
  if (now_us < times.due_us) return std::nullopt;
  return times.due_us == quiet_us ? Close::kQuiet : reason;
}

uint64_t Committer::Pump() {
  if (failed_ || closed_) return kNever;
  const uint64_t now_us = clock_.MonotonicUs();
  uint64_t wait_until = 0;
  Group* const group = TakeDue(now_us, &wait_until);
  if (group != nullptr) return WriteGroup(*group);
  if (wait_until != 0) return wait_until;
  return PumpIdle(now_us);
}

uint64_t Committer::PumpIdle(uint64_t now_us) {
  bool closing;
  {
    const std::lock_guard lock(mutex_);
    if (!groups_.empty()) return 0;  // it came since TakeDue looked
    closing = closing_;
  }
  if (closing) {
    const uint64_t again = WriteMark(kGroupCleanStop);
    if (failed_ || again != 0) return again;
    closed_ = true;
    Progress();
    return kNever;
  }
  if (!witness_due_) return kNever;
  const uint64_t due_us = last_group_us_ + kWitnessDelayUs;
  return now_us < due_us ? due_us : WriteMark(kGroupWitness);
}

uint64_t Committer::WriteGroup(Group& group) {
  GroupToWrite to_write;
  to_write.first = group.first;
  to_write.records = group.records;
  to_write.durable = durable();
  to_write.time = group.time;
  to_write.shards = group.spans;
  to_write.batches = group.buffer.batches();
  to_write.buffer = &group.buffer;
  const uint64_t began_us = clock_.MonotonicUs();
  const Status appended = log_.Append(group.first, log_.term(), to_write);
  if (!appended.ok()) return Refused(appended.error());
  last_group_us_ = clock_.MonotonicUs();
  witness_due_ = true;
  const size_t bytes = to_write.batches.size();
  CountSync(began_us);
  meters_.records.Add(group.records);
  meters_.bytes.Add(bytes);
  meters_.group_bytes.Record(bytes);
  group.times.durable_us = clock_.MonotonicUs();
  last_wait_us_ = group.times.durable_us - group.times.since_us;
  meters_.wait.Record(last_wait_us_);
  bool more;
  {
    const std::lock_guard lock(mutex_);
    pending_bytes_ -= bytes;
    durable_ = group.first.value + group.records - 1;
    if (target_us_ > 0) window_.Learn(group.times);
    no_space_ = false;
    writing_ = false;
    if (idle_.size() < kIdleBuffersMax && group.buffer.capacity() <= kIdleBufferBytesMax) {
      idle_.push_back(std::move(groups_.front()));
    }
    groups_.pop_front();
    more = !groups_.empty();
  }
  Progress();
  return more ? 0 : last_group_us_ + kWitnessDelayUs;
}

uint64_t Committer::WriteMark(uint16_t flags) {
  GroupToWrite mark;
  mark.first = durable().Next();
  mark.durable = durable();
  mark.flags = flags;
  const uint64_t began_us = clock_.MonotonicUs();
  const Status appended = log_.Append(mark.first, log_.term(), mark);
  if (!appended.ok()) return Refused(appended.error());
  witness_due_ = false;
  CountSync(began_us);
  meters_.closes[Close::kWitness].Add();
  const bool had_no_space = no_space_.exchange(false);
  bool more;
  {
    const std::lock_guard lock(mutex_);
    more = !groups_.empty();
  }
  if (had_no_space) Progress();
  return more || flags == kGroupCleanStop ? 0 : kNever;
}

uint64_t Committer::Refused(const Error& error) {
  bool closing;
  {
    const std::lock_guard lock(mutex_);
    closing = closing_;
    failed_ = error.code != Code::kNoSpace || closing;
  }
  if (error.code == Code::kNoSpace) {
    const bool was_known = no_space_.exchange(true);
    meters_.no_space.Add();
    if (!closing) {
      if (!was_known) Progress();
      return clock_.MonotonicUs() + kNoSpaceRetryUs;
    }
  }
  closed_ = true;
  Progress();
  return kNever;
}

void Committer::CountSync(uint64_t began_us) {
  meters_.groups.Add();
  const uint64_t took_us = clock_.MonotonicUs() - began_us;
  meters_.sync.Record(took_us);
  last_sync_us_ = took_us;
}

void Committer::Progress() {
  if (on_progress_) on_progress_();
}

void Committer::WaitForWork(uint64_t deadline_us) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return news_ || woken_ || closed(); };
  if (deadline_us == kNever) {
    work_.wait(lock, ready);
  } else {
    const uint64_t now_us = clock_.MonotonicUs();
    if (deadline_us > now_us) {
      work_.wait_for(lock, std::chrono::microseconds(deadline_us - now_us), ready);
    }
  }
  woken_ = false;
}

void Committer::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  work_.notify_one();
}

void Committer::Close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    woken_ = true;
  }
  work_.notify_one();
}

void Committer::LimitGroups(size_t bytes, uint64_t delay_us, uint64_t target_us) {
  {
    const std::lock_guard lock(mutex_);
    group_bytes_ = bytes;
    group_delay_us_ = delay_us;
    target_us_ = target_us;
    news_ = true;  // the open group may be due now
  }
  work_.notify_one();
}

void Committer::OnProgress(std::function<void()> hook) {
  on_progress_ = std::move(hook);
}

uint64_t Committer::oldest_waiting_us() const {
  const std::lock_guard lock(mutex_);
  return groups_.empty() ? 0 : clock_.MonotonicUs() - groups_.front()->times.since_us;
}

uint64_t Committer::waiting_us() const {
  const std::lock_guard lock(mutex_);
  if (groups_.empty()) return 0;
  const uint64_t oldest_us = clock_.MonotonicUs() - groups_.front()->times.since_us;
  const uint64_t asked_us = std::max(group_delay_us_, target_us_);
  return std::max({oldest_us, last_wait_us_.load(), asked_us}) - asked_us;
}

model::ShardSeq Committer::next_seq(model::Lineage lineage) const {
  const std::lock_guard lock(mutex_);
  const auto found = counters_.find(lineage);
  return found == counters_.end() ? model::ShardSeq(1) : found->second.next;
}

}  // namespace sluice::log
