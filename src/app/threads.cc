#include "app/threads.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log_line.h"
#include "env/linux/cores.h"

namespace sluice::app {
namespace {

constexpr std::chrono::milliseconds kStoreRetry{1000};  // after a run could not be stored
constexpr std::chrono::milliseconds kStallLook{20};     // while compaction is behind
constexpr std::chrono::milliseconds kLearnRest{3};      // between parts of the stored keys
constexpr std::chrono::milliseconds kPrepareLook{50};   // at spare segments, and compaction
constexpr std::chrono::milliseconds kDurableLook{5};    // whether a run's records are durable
// How much of the log may go: runs get stored and sinks catch up also where nobody writes.
constexpr std::chrono::microseconds kTrimLook{500'000};
constexpr std::chrono::microseconds kLogSlice{100};
// Each break of the thread that stores runs (store::Breaks) costs it a slice: so it has a part of
// a processor that a lane could use all of.
constexpr std::chrono::microseconds kStoreSlice{500};

// As sched_setattr(2) has it; the header that declares it cannot be included beside <sched.h>.
struct SchedulingAttributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

}  // namespace

void NameThread(const char* name) {
  pthread_setname_np(pthread_self(), name);
}

bool AskForSlices(std::chrono::microseconds slice) {
  SchedulingAttributes attr{};
  if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0) return false;
  attr.runtime = std::chrono::nanoseconds(slice).count();
  if (syscall(SYS_sched_setattr, 0, &attr, 0) != 0) return false;
  // A kernel that knows none takes the call, and forgets the time.
  return syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) == 0 && attr.runtime != 0;
}

void GoFirst(bool core_to_spare) {
  if (AskForSlices(kLogSlice) && core_to_spare) return;
  const sched_param least{.sched_priority = sched_get_priority_min(SCHED_FIFO)};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &least);  // else slices are all there is
}

Threads::Threads(store::Store& store, ingest::Fabric& fabric) : store_(store), fabric_(fabric) {
  for (ReadMeters& meters : read_meters_) {
    threads_.emplace_back([this, &meters] { ReadLoop(meters); });
  }
  threads_.emplace_back([this] { StoreLoop(); });
  threads_.emplace_back([this] {
    NameThread("pages");
    pieces_->Feed();
  });
}

Threads::~Threads() {
  Stop();
}

void Threads::Offload(model::LaneId lane, std::function<void(store::Store&)> work,
                      ingest::Task then) {
  {
    const std::lock_guard lock(mutex_);
    reads_.push_back({lane, std::move(work), std::move(then)});
  }
  reads_ready_.notify_one();
}

void Threads::Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) {
  {
    const std::lock_guard lock(mutex_);
    stores_.push_back({lane, std::move(run), last, std::move(then)});
  }
  stores_ready_.notify_one();
}

void Threads::ReadLoop(ReadMeters& meters) {
  NameThread("read");
  while (true) {
    Read read;
    {
      std::unique_lock lock(mutex_);
      reads_ready_.wait(lock, [this] { return stopping_ || !reads_.empty(); });
      if (stopping_) return;
      read = std::move(reads_.front());
      reads_.pop_front();
    }
    const uint64_t began_us = clock_.MonotonicUs();
    read.work(store_);
    read.work = nullptr;  // what it holds ends on the lane
    meters.seconds.Record(clock_.MonotonicUs() - began_us);
    fabric_.Post(read.lane, std::move(read.then));
  }
}

void Threads::StoreLoop() {
  NameThread("store");
  AskForSlices(kStoreSlice);
  while (true) {
    StoreJob job;
    {
      std::unique_lock lock(mutex_);
      stores_ready_.wait(lock, [this] { return stopping_ || !stores_.empty(); });
      if (stopping_) return;
      job = std::move(stores_.front());
      stores_.pop_front();
    }
    StoreOne(job);
  }
}

// At its own pace: the store serves without.
void Threads::LearnLoop() {
  NameThread("learn");
  while (true) {
    const Result<bool> learned = store_.LearnKeys();
    if (!learned.has_value()) {
      LogWarning("store", "its keys could not be read; asking for absent ones costs more",
                 {{"error", learned.error().message}});
      return;
    }
    if (*learned || WaitStopping(kLearnRest)) return;
  }
}

void Threads::StoreOne(const StoreJob& job) {
  // The store must never know what a crash of the log could still undo.
  while (committer_->durable() < job.last) {
    if (WaitStopping(kDurableLook)) return;
  }
  while (store_.Stalled()) {
    if (WaitStopping(kStallLook)) return;
  }
  while (true) {
    const Status stored = Apply(job.run);
    if (stored.ok()) break;
    LogError("store",
             "a run could not be stored; it stays in memory and in the log, and is tried again",
             {{"lane", job.lane.value}, {"error", stored.error().message}});
    if (WaitStopping(kStoreRetry)) return;
  }
  fabric_.Post(job.lane, job.then);
}

Status Threads::Apply(const store::Run& run) {
  const uint64_t began_us = clock_.MonotonicUs();
  const Status stored = store_.Apply(run);
  store_meters_.seconds.Record(clock_.MonotonicUs() - began_us);
  if (!stored.ok()) store_meters_.failures.Add();
  trouble_ = stored.ok() ? kNoTrouble : static_cast<int>(stored.error().code);
  return stored;
}

std::optional<Code> Threads::StoreTrouble() const {
  const int trouble = trouble_;
  return trouble == kNoTrouble ? std::nullopt : std::optional(static_cast<Code>(trouble));
}

void Threads::AddMeters(meter::Registry& registry) const {
  for (const ReadMeters& meters : read_meters_) registry.Add(meters);
  registry.Add(store_meters_);
}

void Threads::StartLog(log::FileLog& log, log::Committer& committer,
                       std::function<model::Lsn()> trim, std::function<void()> on_progress) {
  log_ = &log;
  committer_ = &committer;
  trim_ = std::move(trim);
  committer.OnProgress(std::move(on_progress));
  log_thread_ = std::thread([this] { LogLoop(); });
  threads_.emplace_back([this] { PrepareLoop(); });
  threads_.emplace_back([this] { LearnLoop(); });
}

void Threads::LogLoop() {
  NameThread("log");
  GoFirst(fabric_.lanes() < env::Cores());
  model::Lsn trimmed;
  while (!committer_->closed()) {
    const uint64_t next = committer_->Pump();
    if (const model::Lsn trim = trim_(); trim > trimmed) {
      trimmed = trim;
      if (const Status status = log_->Trim(trim.Next()); !status.ok()) {
        LogWarning("log", "old segments could not be removed; the log keeps growing",
                   {{"error", status.error().message}});
      }
    }
    if (next == 0 || committer_->closed()) continue;
    committer_->WaitForWork(std::min<uint64_t>(next, clock_.MonotonicUs() + kTrimLook.count()));
  }
}

void Threads::PrepareLoop() {
  NameThread("prepare");
  while (!WaitStopping(kPrepareLook)) {
    store_fullness_.store(store_.Fullness(), std::memory_order_relaxed);
    if (!log_->NeedsPrepare()) continue;
    if (const Status status = log_->Prepare(); !status.ok()) {
      LogWarning("log", "no spare segment could be prepared", {{"error", status.error().message}});
      if (WaitStopping(kStoreRetry)) return;
    }
  }
}

bool Threads::WaitStopping(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return stop_.wait_for(lock, time, [this] { return stopping_; });
}

void Threads::StopLog() {
  if (!log_thread_.joinable()) return;
  committer_->Close();
  committer_->Wake();
  log_thread_.join();
}

void Threads::Stop() {
  StopLog();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  reads_ready_.notify_all();
  stores_ready_.notify_all();
  stop_.notify_all();
  pieces_->Stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace sluice::app
