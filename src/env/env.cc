#include "env/env.h"

#include <string>
#include <utility>

namespace sluice::env {

Result<std::string> ReadFile(FileSystem& files, const std::string& path, uint64_t size_max) {
  SLUICE_ASSIGN(const std::unique_ptr<File> file, files.Open(path, OpenMode::kRead));
  SLUICE_ASSIGN(const uint64_t size, file->Size());
  if (size > size_max) {
    return Fail(Code::kInvalid, path + ": " + std::to_string(size) + " bytes, more than the " +
                                    std::to_string(size_max) + " allowed");
  }
  std::string bytes(size, '\0');
  SLUICE_ASSIGN(const size_t read, file->ReadAt(0, bytes.data(), bytes.size()));
  bytes.resize(read);
  return bytes;
}

namespace {

// A crash between an earlier write and its rename leaves the temporary file behind.
Result<std::unique_ptr<File>> CreateOver(FileSystem& files, const std::string& path) {
  auto file = files.Open(path, OpenMode::kCreateNew);
  if (file.has_value() || file.error().code != Code::kConflict) return file;
  SLUICE_TRY(files.Remove(path));
  return files.Open(path, OpenMode::kCreateNew);
}

Status WriteWhole(FileSystem& files, const std::string& path, std::string_view bytes) {
  SLUICE_ASSIGN(const std::unique_ptr<File> file, CreateOver(files, path));
  SLUICE_TRY(file->WriteAt(0, bytes));
  return file->Sync();
}

}  // namespace

Status ReplaceFile(FileSystem& files, const std::string& dir, const std::string& name,
                   std::string_view bytes) {
  const std::string path = dir + "/" + name;
  const std::string temporary = path + ".tmp";
  Status written = WriteWhole(files, temporary, bytes);
  if (written.ok()) written = files.Rename(temporary, path);
  if (!written.ok()) {
    (void)files.Remove(temporary);  // the first error is the one to tell
    return written;
  }
  return files.SyncDir(dir);
}

}  // namespace sluice::env
