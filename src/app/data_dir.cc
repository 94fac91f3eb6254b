#include "app/data_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

namespace sluice::app {
namespace {

std::string Why() {
  return std::strerror(errno);
}

Status CheckContent(const std::string& path) {
  static const std::set<std::string> kOurs = {
      ".",    "..",     "LOCK",       "topology", "topology.tmp", "store",     "log",
      "heat", "paused", "paused.tmp", "seeded",   "seeded.tmp",   "lost+found"};
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return Fail(Code::kInvalid, path + " cannot be read: " + Why());
  std::string foreign;
  while (const dirent* entry = ::readdir(dir)) {
    if (!kOurs.contains(entry->d_name)) foreign = entry->d_name;
  }
  ::closedir(dir);
  if (foreign.empty()) return Ok();
  return Fail(Code::kInvalid, path + " holds '" + foreign +
                                  "', which is not Sluice's: nothing was changed. Give Sluice a "
                                  "directory of its own with --data");
}

// A new directory lasts only when the one above it is synced.
Status SyncParent(const std::string& path) {
  const std::string parent = std::filesystem::absolute(path).parent_path();
  const int dir = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return Fail(Code::kIo, parent + " cannot be opened: " + Why());
  const int synced = ::fsync(dir);
  ::close(dir);
  return synced == 0 ? Ok() : Status(Fail(Code::kIo, parent + " cannot be synced: " + Why()));
}

}  // namespace

Result<std::unique_ptr<DataDir>> DataDir::Open(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    SLUICE_TRY(SyncParent(path));
  } else if (errno == ENOENT) {
    return Fail(Code::kNotFound, "the parent of " + path + " does not exist: make it first");
  } else if (errno != EEXIST) {
    return Fail(Code::kInvalid, path + " cannot be made: " + Why());
  }
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return Fail(Code::kIo, path + ": " + Why());
  if (!S_ISDIR(info.st_mode)) return Fail(Code::kInvalid, path + " is not a directory");
  SLUICE_TRY(CheckContent(path));
  const std::string name = path + "/LOCK";
  const int lock = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return Fail(Code::kInvalid, name + " cannot be written: " + Why() +
                                    ". Sluice needs a directory that it may write to");
  }
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return Fail(Code::kConflict, path + " is in use by another Sluice process");
  }
  return std::unique_ptr<DataDir>(new DataDir(path, lock));
}

DataDir::~DataDir() {
  ::close(lock_);
}

}  // namespace sluice::app
