// How RocksDB is set up for runs that come in as whole files.
#pragma once

#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/rocks_filter.h"
#include "store/rocks_store.h"

namespace sluice::store {

// Counts what compactions write and remembers why the background stands still.
class Watcher : public rocksdb::EventListener {
 public:
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    bytes_written_ += info.stats.total_output_bytes;
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    Remember(status->ToString());
  }
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override {
    if (info.new_bg_error.ok()) Remember({});
  }
  void Remember(std::string error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  std::atomic<uint64_t> bytes_written_ = 0;
  mutable std::mutex mutex_;
  std::string error_;
};

struct RocksSetup {
  rocksdb::Options database;
  rocksdb::Options tables;  // for runs: a table writer would take the last level's compression
  std::unique_ptr<rocksdb::Env> env;  // only when the files are not the true ones
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<Watcher> watcher;
  std::shared_ptr<GenerationFilterFactory> filters;
};

RocksSetup SetUp(const RocksStore::Options& options);

// RocksDB's answer as ours, with `what` it was about before the message.
Error ErrorOf(const rocksdb::Status& status, std::string_view what);

}  // namespace sluice::store
