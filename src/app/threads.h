// Threads: the work that must not run on a lane, on threads of its own: reads from disk on a small
// pool, runs into the store on one, the log's groups on one, segments prepared ahead on one, pages
// for write buffers on one; and one that learns the stored keys after a start.
//
// Owns:     the threads; Stop (or the destructor) ends them.
// Threads:  Offload and Store from any lane.
// Bounds:   what waits here belongs to parked commands and frozen buffers, which the lanes bound.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "env/linux/clock.h"
#include "ingest/background.h"
#include "ingest/fabric.h"
#include "log/committer.h"
#include "log/file_log.h"
#include "meter/meter.h"
#include "meter/registry.h"
#include "store/pieces.h"
#include "store/store.h"

namespace sluice::app {

// Of one thread that reads.
struct ReadMeters : meter::Set {
  meter::Histogram seconds{*this,
                           "sluice_store_read_seconds",
                           "Time of one errand to the store: a cold read, or a page of a scan.",
                           {.unit = meter::Unit::kMicroseconds}};
};

// Of the thread that stores runs.
struct StoreMeters : meter::Set {
  meter::Histogram seconds{*this,
                           "sluice_store_apply_seconds",
                           "Time to bring one run into the store.",
                           {.unit = meter::Unit::kMicroseconds}};
  meter::Counter failures{*this, "sluice_store_apply_failures_total",
                          "Runs that the store refused; each is tried again."};
};

inline constexpr size_t kReadThreads = 4;

// What `top -H`, perf and debuggers call the calling thread. At most 15 bytes.
void NameThread(const char* name);
// For how long the calling thread wants to run at a time when others want its processor too. False:
// the kernel knows of no such wish (before Linux 6.12).
bool AskForSlices(std::chrono::microseconds slice);
// The calling thread works for moments, and many wait for it: from now on it gets a processor soon
// after it wakes. With a core to spare it asks for short slices, and the kernel has it run where
// nobody else does. Without one, or where the kernel knows no slices, it becomes real-time, if the
// process may ask for that (CAP_SYS_NICE, RLIMIT_RTPRIO): a real-time thread goes before all that
// are not, but stays on its core even when another idles, and drives the lane off it.
void GoFirst(bool core_to_spare);

class Threads final : public ingest::Background {
 public:
  Threads(store::Store& store, ingest::Fabric& fabric);
  ~Threads() override;

  void Offload(model::LaneId lane, std::function<void(store::Store&)> work,
               ingest::Task then) override;
  void Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) override;

  std::optional<Code> StoreTrouble() const override;
  double StoreFullness() const override { return store_fullness_.load(std::memory_order_relaxed); }

  // For the lanes' buffers.
  const std::shared_ptr<store::Pieces>& pieces() const { return pieces_; }

  void AddMeters(meter::Registry& registry) const;

  // Starts writing groups, and what else goes on while the node serves. `trim` says how far the log
  // may be forgotten; `on_progress` runs after each change of what is durable.
  void StartLog(log::FileLog& log, log::Committer& committer, std::function<model::Lsn()> trim,
                std::function<void()> on_progress);
  // Writes what is queued and the clean stop marker; returns when it is durable or the log failed.
  void StopLog();
  void Stop();

 private:
  struct Read {
    model::LaneId lane;
    std::function<void(store::Store&)> work;
    ingest::Task then;
  };
  struct StoreJob {
    model::LaneId lane;
    store::Run run;
    model::Lsn last;
    ingest::Task then;
  };
  void ReadLoop(ReadMeters& meters);
  void StoreLoop();
  void LearnLoop();
  void StoreOne(const StoreJob& job);
  Status Apply(const store::Run& run);
  void LogLoop();
  void PrepareLoop();
  bool WaitStopping(std::chrono::milliseconds time);

  env::LinuxClock clock_;
  store::Store& store_;
  ingest::Fabric& fabric_;
  log::FileLog* log_ = nullptr;
  log::Committer* committer_ = nullptr;
  std::function<model::Lsn()> trim_;

  std::mutex mutex_;
  std::condition_variable reads_ready_, stores_ready_, stop_;
  std::deque<Read> reads_;
  std::deque<StoreJob> stores_;
  bool stopping_ = false;
  // The code of the store's last refusal; kNoTrouble once a run went in.
  static constexpr int kNoTrouble = -1;
  std::atomic<int> trouble_{kNoTrouble};
  std::atomic<double> store_fullness_{0};
  std::array<ReadMeters, kReadThreads> read_meters_;
  StoreMeters store_meters_;
  const std::shared_ptr<store::Pieces> pieces_ = std::make_shared<store::Pieces>();
  std::vector<std::thread> threads_;
  std::thread log_thread_;
};

}  // namespace sluice::app
