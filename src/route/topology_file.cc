#include "route/topology_file.h"

#include <fmt/format.h>

#include "route/topology_codec.h"

namespace sluice::route {

FileTopology::FileTopology(env::FileSystem& files, std::string dir)
    : files_(files), dir_(std::move(dir)) {}

Status FileTopology::Recover() {
  const std::lock_guard lock(mutex_);
  const std::string left = dir_ + "/" + kFileName + ".tmp";  // of env::ReplaceFile
  SLUICE_ASSIGN(const bool there, files_.Exists(left));
  if (there) SLUICE_TRY(files_.Remove(left));
  return files_.SyncDir(dir_);
}

Result<TopologyContent> FileTopology::Load() {
  const std::lock_guard lock(mutex_);
  return LoadLocked();
}

Result<TopologyContent> FileTopology::LoadLocked() {
  const std::string path = dir_ + "/" + kFileName;
  const Result<std::string> bytes = env::ReadFile(files_, path, kTopologyBytesMax);
  if (!bytes) {
    if (bytes.error().code == Code::kNotFound) return TopologyContent{};
    return Fail(bytes.error().In(path));
  }
  auto content = DecodeTopology(*bytes);
  if (!content) {
    return Fail(content.error().code, fmt::format("{} {}", path, content.error().message));
  }
  return content;
}

Status FileTopology::CompareAndSwap(uint64_t expected, const TopologyContent& content) {
  const std::lock_guard lock(mutex_);
  SLUICE_ASSIGN(const TopologyContent now, LoadLocked());
  if (now.version != expected) {
    return Fail(Code::kConflict,
                fmt::format("the topology is at version {}, expected {}", now.version, expected));
  }
  TopologyContent next = content;
  next.version = expected + 1;
  const std::string bytes = EncodeTopology(next);
  if (bytes.size() > kTopologyBytesMax) {
    return Fail(Code::kInvalid, fmt::format("a topology of {} bytes is larger than {}",
                                            bytes.size(), kTopologyBytesMax));
  }
  return env::ReplaceFile(files_, dir_, kFileName, bytes);
}

}  // namespace sluice::route
