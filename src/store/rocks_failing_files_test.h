// Files under RocksDB that fail from a chosen step on, and know what was not synced.
#pragma once

#include <rocksdb/file_system.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace sluice::store {

class FailingFiles : public rocksdb::FileSystemWrapper {
 public:
  using IOStatus = rocksdb::IOStatus;
  using IOOptions = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;

  FailingFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "FailingFiles"; }

  // The step-th change from now on fails, and all after it until Heal, or only that one.
  enum class Fails { kOnce, kFromThenOn };
  void FailAt(int step, Fails fails, const IOStatus& error) {
    const std::lock_guard lock(mutex_);
    left_ = step;
    once_ = fails == Fails::kOnce;
    error_ = error;
    struck_ = false;
  }
  // True if anything failed.
  bool Heal() {
    const std::lock_guard lock(mutex_);
    left_ = -1;
    return struck_;
  }
  int steps() {
    const std::lock_guard lock(mutex_);
    return steps_;
  }
  // Files and directories changed since their last sync; RocksDB's write-ahead log aside, which
  // stays empty.
  std::set<std::string> Unsynced() {
    const std::lock_guard lock(mutex_);
    return unsynced_;
  }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) override;
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              Debug* debug) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory, Debug* debug) override;
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    Debug* debug) override {
    return Change(to, true, [&] { return target()->LinkFile(from, to, options, debug); });
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      Debug* debug) override {
    return Change(to, true, [&] { return target()->RenameFile(from, to, options, debug); });
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, Debug* debug) override {
    // Whether a removal lasts matters to nobody: leftovers are removed at the next start.
    if (!Step()) return error();
    const IOStatus status = target()->DeleteFile(path, options, debug);
    const std::lock_guard lock(mutex_);
    ++removed_;
    removal_.notify_all();
    return status;
  }
  // Waits until more files than `seen` were removed; how many. Gives up after a minute.
  int AwaitRemoval(int seen) {
    std::unique_lock lock(mutex_);
    removal_.wait_for(lock, std::chrono::minutes(1), [&] { return removed_ > seen; });
    return removed_;
  }

  // Does the change unless its time has come to fail.
  template <class Fn>
  IOStatus Change(const std::string& path, bool entry, Fn&& fn) {
    if (!Step()) return error();
    const std::lock_guard lock(mutex_);
    const std::filesystem::path named(path);
    // A table outside the database lasts when it is linked into it.
    const bool beside = named.parent_path().filename() == "tmp";
    if (!path.ends_with(".log") && !(entry && beside)) {
      unsynced_.insert(entry ? named.parent_path().string() : path);
    }
    return fn();
  }
  template <class Fn>
  IOStatus Sync(const std::string& path, Fn&& fn) {
    if (!Step()) return error();
    const IOStatus status = fn();
    const std::lock_guard lock(mutex_);
    if (status.ok()) unsynced_.erase(path);
    return status;
  }

 private:
  bool Step() {
    const std::lock_guard lock(mutex_);
    ++steps_;
    if (left_ > 0) --left_;
    if (left_ != 0) return true;
    struck_ = true;
    if (once_) left_ = -1;
    return false;
  }
  IOStatus error() {
    const std::lock_guard lock(mutex_);
    return error_;
  }

  std::mutex mutex_;
  std::condition_variable removal_;
  int removed_ = 0;
  int left_ = -1;  // changes until failure; -1: none to come
  int steps_ = 0;
  bool once_ = false, struck_ = false;
  IOStatus error_;
  std::set<std::string> unsynced_;
};

class FailingFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using IOStatus = rocksdb::IOStatus;
  using IOOptions = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;

  FailingFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::string path,
              FailingFiles* files)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), files_(files) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, Debug* debug) override {
    return files_->Change(path_, false, [&] { return target()->Append(data, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, Debug* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, Debug* debug) override {
    return files_->Sync(path_, [&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, Debug* debug) override {
    return files_->Sync(path_, [&] { return target()->Fsync(options, debug); });
  }

 private:
  const std::string path_;
  FailingFiles* const files_;
};

class FailingDirectory : public rocksdb::FSDirectoryWrapper {
 public:
  FailingDirectory(std::unique_ptr<rocksdb::FSDirectory>&& directory, std::string path,
                   FailingFiles* files)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)), files_(files) {}

  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    return files_->Sync(path_, [&] { return FSDirectoryWrapper::Fsync(options, debug); });
  }
  rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options,
                                        rocksdb::IODebugContext* debug,
                                        const rocksdb::DirFsyncOptions& how) override {
    return files_->Sync(
        path_, [&] { return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how); });
  }

 private:
  const std::string path_;
  FailingFiles* const files_;
};

inline rocksdb::IOStatus FailingFiles::NewWritableFile(
    const std::string& path, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) {
  std::unique_ptr<rocksdb::FSWritableFile> made;
  const IOStatus status =
      Change(path, true, [&] { return target()->NewWritableFile(path, options, &made, debug); });
  if (status.ok()) *file = std::make_unique<FailingFile>(std::move(made), path, this);
  return status;
}

inline rocksdb::IOStatus FailingFiles::ReopenWritableFile(
    const std::string& path, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) {
  std::unique_ptr<rocksdb::FSWritableFile> made;
  const IOStatus status = target()->ReopenWritableFile(path, options, &made, debug);
  if (status.ok()) *file = std::make_unique<FailingFile>(std::move(made), path, this);
  return status;
}

inline rocksdb::IOStatus FailingFiles::NewDirectory(
    const std::string& path, const IOOptions& options,
    std::unique_ptr<rocksdb::FSDirectory>* directory, Debug* debug) {
  std::unique_ptr<rocksdb::FSDirectory> made;
  const IOStatus status = target()->NewDirectory(path, options, &made, debug);
  if (status.ok()) *directory = std::make_unique<FailingDirectory>(std::move(made), path, this);
  return status;
}

}  // namespace sluice::store
