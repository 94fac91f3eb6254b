#include "env/linux/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sluice::env {
namespace {

constexpr mode_t kFileMode = 0640;  // data is for its owner and group
constexpr mode_t kDirMode = 0750;

Failure FailErrno(int error, std::string_view call, const std::string& path) {
  Code code = Code::kIo;
  if (error == ENOSPC || error == EDQUOT) code = Code::kNoSpace;
  if (error == ENOENT) code = Code::kNotFound;
  return Fail(code,
              path + ": " + std::string(call) + ": " + std::generic_category().message(error));
}

// Runs a system call again while signals interrupt it.
template <class Call>
auto Uninterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  int get() const { return fd_; }

 private:
  int fd_;
};

class LinuxFile final : public File {
 public:
  // `direct`: the same file opened past the kernel's cache; -1 where that cannot be.
  LinuxFile(Descriptor fd, Descriptor direct, std::string path)
      : fd_(std::move(fd)), direct_(std::move(direct)), path_(std::move(path)) {}

  Status WriteAt(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      // A write that came to less may go on off the boundaries, through the cache.
      const int fd = direct_.get() >= 0 && OnPages(offset, bytes) ? direct_.get() : fd_.get();
      const ssize_t wrote = Uninterrupted(
          [&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (wrote < 0) return FailErrno(errno, "write", path_);
      offset += static_cast<uint64_t>(wrote);
      bytes.remove_prefix(static_cast<size_t>(wrote));
    }
    return Ok();
  }

  Result<size_t> ReadAt(uint64_t offset, char* to, size_t size) override {
    size_t total = 0;
    while (total < size) {
      const ssize_t got = Uninterrupted([&] {
        return ::pread(fd_.get(), to + total, size - total, static_cast<off_t>(offset + total));
      });
      if (got < 0) return FailErrno(errno, "read", path_);
      if (got == 0) break;
      total += static_cast<size_t>(got);
    }
    return total;
  }

  Status Sync() override {
    // Either descriptor stands for the whole file; asked of one alone, as each of them is told of a
    // lost page. Never twice, not even after a signal: a second call may succeed for lost pages.
    const int fd = direct_.get() >= 0 ? direct_.get() : fd_.get();
    if (::fdatasync(fd) < 0) return FailErrno(errno, "fdatasync", path_);
    return Ok();
  }

  Result<uint64_t> Size() override {
    struct stat info;
    if (::fstat(fd_.get(), &info) < 0) return FailErrno(errno, "fstat", path_);
    return static_cast<uint64_t>(info.st_size);
  }

  Status Truncate(uint64_t size) override {
    if (Uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) < 0) {
      return FailErrno(errno, "ftruncate", path_);
    }
    return Ok();
  }

 private:
  static bool OnPages(uint64_t offset, std::string_view bytes) {
    const auto memory = reinterpret_cast<uintptr_t>(bytes.data());
    return (offset | bytes.size() | memory) % kPageBytes == 0;
  }

  const Descriptor fd_, direct_;
  const std::string path_;
};

int FlagsOf(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY | O_CLOEXEC;
    case OpenMode::kReadWrite:
      return O_RDWR | O_CLOEXEC;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

}  // namespace

Result<std::unique_ptr<File>> LinuxFileSystem::Open(const std::string& path, OpenMode mode) {
  Descriptor fd(Uninterrupted([&] { return ::open(path.c_str(), FlagsOf(mode), kFileMode); }));
  if (fd.get() < 0) {
    if (errno == EEXIST) return Fail(Code::kConflict, path + ": exists already");
    return FailErrno(errno, "open", path);
  }
  // Some file systems have no such thing, which is no failure.
  Descriptor direct(mode == OpenMode::kRead ? -1 : Uninterrupted([&] {
    return ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_DIRECT);
  }));
  return std::unique_ptr<File>(std::make_unique<LinuxFile>(std::move(fd), std::move(direct), path));
}

Status LinuxFileSystem::CreateDir(const std::string& path) {
  if (::mkdir(path.c_str(), kDirMode) == 0) return Ok();
  const int error = errno;
  struct stat info;
  if (error == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return Ok();
  return FailErrno(error, "mkdir", path);
}

Result<std::vector<std::string>> LinuxFileSystem::List(const std::string& dir) {
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(dir.c_str()), &::closedir);
  if (handle == nullptr) return FailErrno(errno, "opendir", dir);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(handle.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return FailErrno(errno, "readdir", dir);
  std::sort(names.begin(), names.end());
  return names;
}

Status LinuxFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) return FailErrno(errno, "rename to " + to, from);
  return Ok();
}

Status LinuxFileSystem::Remove(const std::string& path) {
  if (::unlink(path.c_str()) < 0) return FailErrno(errno, "unlink", path);
  return Ok();
}

Status LinuxFileSystem::SyncDir(const std::string& dir) {
  const Descriptor fd(
      Uninterrupted([&] { return ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() < 0) return FailErrno(errno, "open", dir);
  if (::fsync(fd.get()) < 0) return FailErrno(errno, "fsync", dir);
  return Ok();
}

Result<bool> LinuxFileSystem::Exists(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return FailErrno(errno, "stat", path);
}

Result<uint64_t> LinuxFileSystem::FreeBytes(const std::string& dir) {
  struct statvfs info;
  if (::statvfs(dir.c_str(), &info) < 0) return FailErrno(errno, "statvfs", dir);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace sluice::env
