// How RocksDB is set up for runs that come in as whole files.
#pragma once

#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/rocks_files.h"
#include "store/rocks_filter.h"
#include "store/rocks_store.h"

namespace sluice::store {

// Counts what compactions write, and knows whether RocksDB stands still and why.
class Watcher : public rocksdb::EventListener {
 public:
  explicit Watcher(std::shared_ptr<RocksFiles> files) : files_(std::move(files)) {}

  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    bytes_written_ += info.stats.total_output_bytes;
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* by_itself) override {
    *by_itself = false;  // the next Apply resumes; RocksDB would look for space every 5 seconds
  }
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override;

  // OK once RocksDB takes runs again; the error that keeps it from that if it takes too long.
  Status AwaitRecovery();
  // True while RocksDB is on its way to a new manifest; 7.8 cannot be closed then.
  bool recovering() const;
  // The error kept nothing from going on.
  void Forget();
  std::string error() const;
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  const std::shared_ptr<RocksFiles> files_;
  std::atomic<uint64_t> bytes_written_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable recovered_;
  bool manifest_failed_ = false;
  std::string error_;
};

struct RocksSetup {
  rocksdb::Options database;
  rocksdb::Options tables;  // for runs: a table writer would take the last level's compression
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<RocksFiles> files;
  std::shared_ptr<Watcher> watcher;
  std::shared_ptr<GenerationFilterFactory> filters;
};

RocksSetup SetUp(const RocksStore::Options& options);

// RocksDB's answer as ours, with `what` it was about before the message.
Error ErrorOf(const rocksdb::Status& status, std::string_view what);

}  // namespace sluice::store
