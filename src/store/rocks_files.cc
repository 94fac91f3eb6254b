#include "store/rocks_files.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace sluice::store {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// Longer than RocksDB pauses between its attempts.
constexpr std::chrono::seconds kParkWait{2};

// The manifest, or the file that becomes CURRENT and names it.
bool IsManifest(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("MANIFEST-") || name.ends_with(".dbtmp");
}

IOStatus Fenced() {
  IOStatus status = IOStatus::IOError("the store was left behind");
  status.SetRetryable(true);
  return status;
}

class ManifestFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ManifestFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, RocksFiles* files)
      : FSWritableFileOwnerWrapper(std::move(file)), files_(files) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return files_->Retryable(target()->Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& check, IODebugContext* debug) override {
    return files_->Retryable(target()->Append(data, options, check, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return files_->Retryable(target()->Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return files_->Retryable(target()->Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return files_->Retryable(target()->Fsync(options, debug));
  }

 private:
  RocksFiles* const files_;
};

class ManifestDirectory : public rocksdb::FSDirectoryWrapper {
 public:
  ManifestDirectory(std::unique_ptr<rocksdb::FSDirectory>&& directory, RocksFiles* files)
      : FSDirectoryWrapper(std::move(directory)), files_(files) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return files_->Retryable(FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& how) override {
    return files_->Retryable(FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how));
  }

 private:
  RocksFiles* const files_;
};

// Threads that cannot be ended go on using it, so it lasts as long as the process.
void KeepForGood(std::shared_ptr<void> left_behind) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(left_behind));
}

}  // namespace

RocksFiles::RocksFiles(const std::shared_ptr<rocksdb::FileSystem>& files)
    : FileSystemWrapper(files) {}

IOStatus RocksFiles::Retryable(const IOStatus& status) {
  if (status.ok()) return status;
  manifest_full_ = status.IsNoSpace();
  // A full disk by its own name would take RocksDB's other road, which does not lead back.
  IOStatus retryable = IOStatus::IOError(status.ToString());
  retryable.SetRetryable(true);
  return retryable;
}

void RocksFiles::Fence(std::shared_ptr<void> left_behind) {
  fenced_ = true;
  KeepForGood(std::move(left_behind));
  std::unique_lock lock(mutex_);
  parking_.wait_for(lock, kParkWait, [&] { return parked_; });
  if (lock_) (void)target()->UnlockFile(lock_, IOOptions(), nullptr);
  lock_ = nullptr;
}

void RocksFiles::Park() {
  std::unique_lock lock(mutex_);
  parked_ = true;
  parking_.notify_all();
  while (true) parking_.wait(lock);
}

IOStatus RocksFiles::LockFile(const std::string& path, const IOOptions& options,
                              rocksdb::FileLock** lock, IODebugContext* debug) {
  const IOStatus status = target()->LockFile(path, options, lock, debug);
  const std::lock_guard guard(mutex_);
  if (status.ok()) lock_ = *lock;
  return status;
}

IOStatus RocksFiles::UnlockFile(rocksdb::FileLock* lock, const IOOptions& options,
                                IODebugContext* debug) {
  const std::lock_guard guard(mutex_);
  if (lock != lock_) return IOStatus::OK();  // the fence let go of it
  lock_ = nullptr;
  return target()->UnlockFile(lock, options, debug);
}

IOStatus RocksFiles::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                     IODebugContext* debug) {
  if (fenced_ && IsManifest(path)) Park();
  if (fenced_) return Fenced();
  if (!IsManifest(path)) return target()->NewWritableFile(path, options, file, debug);
  std::unique_ptr<rocksdb::FSWritableFile> made;
  const IOStatus status = Retryable(target()->NewWritableFile(path, options, &made, debug));
  if (status.ok()) *file = std::make_unique<ManifestFile>(std::move(made), this);
  return status;
}

IOStatus RocksFiles::NewDirectory(const std::string& path, const IOOptions& options,
                                  std::unique_ptr<rocksdb::FSDirectory>* directory,
                                  IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> made;
  const IOStatus status = target()->NewDirectory(path, options, &made, debug);
  if (status.ok()) *directory = std::make_unique<ManifestDirectory>(std::move(made), this);
  return status;
}

IOStatus RocksFiles::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  if (fenced_) return Fenced();
  return Retryable(target()->RenameFile(from, to, options, debug));
}

IOStatus RocksFiles::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  if (fenced_) return Fenced();
  if (keep_tables_ && path.ends_with(".sst")) {
    return IOStatus::Busy("the manifest may name " + path);
  }
  return target()->DeleteFile(path, options, debug);
}

}  // namespace sluice::store
