// Threads: the work that must not run on a lane, on threads of its own: reads from disk on a small
// pool, runs into the store on one, the log's groups on one, segments prepared ahead on one.
//
// Owns:     the threads; Stop (or the destructor) ends them.
// Threads:  Offload and Store from any lane.
// Bounds:   what waits here belongs to parked commands and frozen buffers, which the lanes bound.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "ingest/background.h"
#include "ingest/fabric.h"
#include "log/committer.h"
#include "log/file_log.h"
#include "store/rocks_store.h"

namespace sluice::app {

class Threads final : public ingest::Background {
 public:
  Threads(store::RocksStore& store, ingest::Fabric& fabric);
  ~Threads() override;

  void Offload(model::LaneId lane, std::function<void(store::Store&)> work,
               ingest::Task then) override;
  void Store(model::LaneId lane, store::Run run, model::Lsn last, ingest::Task then) override;

  // Starts writing groups. `trim` says how far the log may be forgotten; `on_progress` runs after
  // each change of what is durable.
  void StartLog(log::FileLog& log, log::Committer& committer, std::function<model::Lsn()> trim,
                std::function<void()> on_progress);
  // Writes what is queued and the clean stop marker; returns when it is durable or the log failed.
  void StopLog();
  void Stop();

  size_t stored_runs() const { return stored_runs_.load(); }

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
  void ReadLoop();
  void StoreLoop();
  void StoreOne(const StoreJob& job);
  void LogLoop();
  void PrepareLoop();
  bool WaitStopping(std::chrono::milliseconds time);

  store::RocksStore& store_;
  ingest::Fabric& fabric_;
  log::FileLog* log_ = nullptr;
  log::Committer* committer_ = nullptr;
  std::function<model::Lsn()> trim_;

  std::mutex mutex_;
  std::condition_variable reads_ready_, stores_ready_, stop_;
  std::deque<Read> reads_;
  std::deque<StoreJob> stores_;
  bool stopping_ = false;
  std::atomic<size_t> stored_runs_{0};
  std::vector<std::thread> threads_;
  std::thread log_thread_;
};

}  // namespace sluice::app
