// The outside world as Sluice sees it: a clock, random bits and files. `env/linux` is the true one,
// `env/sim` one that is seeded, forgets what was not synced, and fails on purpose.
//
// Threads:  every object may be used from any thread; one File's writes come from one thread at
//           once.
// Failure:  kNoSpace for ENOSPC and EDQUOT, kNotFound for a missing file, kIo for the rest. After a
//           failed Sync nobody knows what the disk holds; it must not be called again on that file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace sluice::env {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual uint64_t WallMs() = 0;       // since 1970; may jump
  virtual uint64_t MonotonicUs() = 0;  // never steps back; for intervals and deadlines
};

inline constexpr size_t kPageBytes = 4096;

class File {
 public:
  virtual ~File() = default;
  // Writes all of `bytes` at `offset`, in as many system calls as it takes. Whole pages that lie on
  // page boundaries, in memory and in the file (kPageBytes), go past the kernel's cache where the
  // disk can take them so: that costs less, and leaves nothing there that the disk may not hold.
  virtual Status WriteAt(uint64_t offset, std::string_view bytes) = 0;
  // Reads up to `size` bytes into `to`; fewer only at the end of the file. Returns how many.
  virtual Result<size_t> ReadAt(uint64_t offset, char* to, size_t size) = 0;
  // Makes the content (and the size, if it changed) durable: fdatasync.
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() = 0;
  virtual Status Truncate(uint64_t size) = 0;
};

enum class OpenMode : uint8_t { kRead, kReadWrite, kCreateNew };

// Paths are joined with '/', absolute or relative to the process.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // kCreateNew fails with kConflict if the file exists.
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Status CreateDir(const std::string& path) = 0;                      // fine if it exists
  virtual Result<std::vector<std::string>> List(const std::string& dir) = 0;  // names, sorted
  virtual Status Rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Status Remove(const std::string& path) = 0;
  // Makes creations, renames and removals in `dir` durable.
  virtual Status SyncDir(const std::string& dir) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Result<uint64_t> FreeBytes(const std::string& dir) = 0;
};

// Unpredictable bits for identities (log ids, salts, lineages). Seeded in simulation.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual uint64_t Next() = 0;
};

struct Env {
  Clock& clock;
  FileSystem& files;
  Entropy& entropy;
};

// Reads a whole file. kNotFound, kIo, or kInvalid when it is larger than `size_max`.
Result<std::string> ReadFile(FileSystem& files, const std::string& path, uint64_t size_max);

// Replaces `dir`/`name` as a whole: writes `name`.tmp, syncs it, renames it, syncs the directory.
// After an error, and after a crash at any step, the file is the old one or the new one, whole.
Status ReplaceFile(FileSystem& files, const std::string& dir, const std::string& name,
                   std::string_view bytes);

}  // namespace sluice::env
