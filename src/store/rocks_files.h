// Files as RocksDB sees them, arranged so that 7.8 lives through a failed write of its manifest.
//
// It would call such an error final, or come back only in name: after a full disk it takes runs
// again but gives them table number 0. Only from errors called retryable does it come back whole,
// by beginning a new manifest; so the manifest's errors are called that here. And while it is
// unknown what the manifest on disk says, no table is removed: RocksDB keeps to that itself, except
// for the table of a failed ingestion, which the next start could then miss.
//
// Threads:  any.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

namespace sluice::store {

class RocksFiles : public rocksdb::FileSystemWrapper {
 public:
  using IOStatus = rocksdb::IOStatus;

  explicit RocksFiles(const std::shared_ptr<rocksdb::FileSystem>& files);

  const char* Name() const override { return "sluice.files"; }

  void KeepTables(bool keep) { keep_tables_ = keep; }
  // From now on nothing can be changed through these files, and their lock is free: for a RocksDB
  // that has to be left behind because it cannot be closed. Waits until its thread that tries to
  // begin a new manifest stands still here, for good: it must not run while the process ends.
  // Keeps what is `left_behind` for good.
  void Fence(std::shared_ptr<void> left_behind);
  // Was it for want of space that the manifest's last write failed?
  bool manifest_full() const { return manifest_full_; }
  // An error of the manifest as one that RocksDB tries again.
  IOStatus Retryable(const IOStatus& status);

  IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options,
                    rocksdb::FileLock** lock, rocksdb::IODebugContext* debug) override;
  IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* debug) override;
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           rocksdb::IODebugContext* debug) override;
  IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory,
                        rocksdb::IODebugContext* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to,
                      const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* debug) override;

 private:
  [[noreturn]] void Park();

  std::atomic<bool> keep_tables_ = false;
  std::atomic<bool> manifest_full_ = false;
  std::atomic<bool> fenced_ = false;
  std::mutex mutex_;
  rocksdb::FileLock* lock_ = nullptr;  // RocksDB's
  std::condition_variable parking_;
  bool parked_ = false;
};

}  // namespace sluice::store
