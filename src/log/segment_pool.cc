#include "log/segment_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "log/format.h"

namespace sluice::log {
namespace {

// Written and synced at once. A sync of the log meanwhile waits for what the disk has been given
// before it: for one such piece, and not for a whole segment.
constexpr size_t kZeroesBytes = 1 << 20;
alignas(env::kPageBytes) const char kZeroes[kZeroesBytes] = {};

Status WriteZeroes(env::File& file, uint64_t bytes) {
  for (uint64_t offset = 0; offset < bytes; offset += kZeroesBytes) {
    const uint64_t size = std::min<uint64_t>(kZeroesBytes, bytes - offset);
    SLUICE_TRY(file.WriteAt(offset, {kZeroes, size}));
    SLUICE_TRY(file.Sync());
  }
  return Ok();
}

}  // namespace

SegmentPool::SegmentPool(env::FileSystem& files, std::string dir, uint64_t segment_bytes)
    : files_(files), dir_(std::move(dir)), segment_bytes_(segment_bytes) {}

std::string SegmentPool::NewPath(uint64_t number, std::string_view suffix) const {
  return fmt::format("{}/{:016x}{}", dir_, number, suffix);
}

Status SegmentPool::Adopt(const std::string& name) {
  const std::string path = dir_ + "/" + name;
  SLUICE_ASSIGN(const std::unique_ptr<env::File> file,
                files_.Open(path, env::OpenMode::kReadWrite));
  SLUICE_ASSIGN(const uint64_t size, file->Size());
  {
    const std::lock_guard lock(mutex_);
    next_number_ = std::max(next_number_, *NumberOf(name, kSpareSuffix) + 1);
    if (size == segment_bytes_ && spares_.size() < kSparesMax) {
      // What it holds is not known any more, so it counts as used before.
      spares_.push_back({path, true});
      return Ok();
    }
  }
  return files_.Remove(path);
}

bool SegmentPool::NeedsPrepare() const {
  const std::lock_guard lock(mutex_);
  return spares_.size() + making_ < kSparesReady;
}

Status SegmentPool::Prepare() {
  {
    const std::lock_guard lock(mutex_);
    if (spares_.size() + making_ >= kSparesReady) return Ok();
    ++making_;
  }
  auto made = Make(segment_bytes_);
  const std::lock_guard lock(mutex_);
  --making_;
  if (!made.has_value()) return Fail(std::move(made).error());
  spares_.push_back({made->path, false});
  return Ok();
}

Result<Spare> SegmentPool::Make(uint64_t bytes) {
  uint64_t number;
  {
    const std::lock_guard lock(mutex_);
    number = next_number_++;
  }
  const std::string temporary = NewPath(number, kTemporarySuffix);
  const std::string path = NewPath(number, kSpareSuffix);
  SLUICE_ASSIGN(std::shared_ptr<env::File> file, files_.Open(temporary, env::OpenMode::kCreateNew));
  Status made = WriteZeroes(*file, bytes);
  if (made.ok()) made = files_.Rename(temporary, path);
  if (!made.ok()) {
    (void)files_.Remove(temporary);  // the first error is the one to tell
    return Fail(std::move(made).error());
  }
  return Spare{path, std::move(file), bytes, false};
}

Result<Spare> SegmentPool::Take(uint64_t bytes, Purpose purpose) {
  const size_t keep = purpose == Purpose::kRecovery ? 0 : kSparesReserve;
  if (bytes > segment_bytes_) return Make(bytes);
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    if (spares_.size() > keep) {
      entry = std::move(spares_.front());
      spares_.erase(spares_.begin());
    }
  }
  if (entry.path.empty()) return Make(segment_bytes_);
  auto file = files_.Open(entry.path, env::OpenMode::kReadWrite);
  if (!file.has_value()) return Fail(std::move(file).error());
  return Spare{std::move(entry.path), std::move(*file), segment_bytes_, entry.recycled};
}

Status SegmentPool::Recycle(const std::string& segment_name, uint64_t bytes) {
  const std::string path = dir_ + "/" + segment_name;
  std::string spare;
  {
    const std::lock_guard lock(mutex_);
    if (bytes == segment_bytes_ && spares_.size() + making_ < kSparesMax) {
      spare = NewPath(next_number_++, kSpareSuffix);
      ++making_;
    }
  }
  if (spare.empty()) {
    SLUICE_TRY(files_.Remove(path));
    return files_.SyncDir(dir_);
  }
  Status renamed = files_.Rename(path, spare);
  // Before the file may be written again: else a crash could bring the old name back around the
  // new content.
  if (renamed.ok()) renamed = files_.SyncDir(dir_);
  const std::lock_guard lock(mutex_);
  --making_;
  if (renamed.ok()) spares_.push_back({std::move(spare), true});
  return renamed;
}

void SegmentPool::Discard(const Spare& spare) {
  (void)files_.Remove(spare.path);  // left behind it is only a spare, and the next start's to judge
}

}  // namespace sluice::log
