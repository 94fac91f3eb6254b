#include "app/heat_files.h"

#include <fmt/format.h>

#include "base/log_line.h"

namespace sluice::app {
namespace {

constexpr uint64_t kBytesMax = 8 << 20;  // larger than any history is

std::string NameOf(model::KeyspaceId keyspace) {
  return fmt::format("{}.heat", keyspace.value);
}

}  // namespace

std::optional<heat::History> HeatFiles::Read(model::KeyspaceId keyspace, uint64_t seed) {
  const std::string path = dir_ + "/" + NameOf(keyspace);
  Result<std::string> bytes = env::ReadFile(files_, path, kBytesMax);
  if (!bytes.has_value() && bytes.error().code == Code::kNotFound) return std::nullopt;
  const auto decoded = [&]() -> Result<heat::History> {
    SLUICE_TRY(bytes);
    return heat::History::Decode(*bytes, seed);
  };
  Result<heat::History> history = decoded();
  if (history.has_value()) return std::move(*history);
  const Status aside = files_.Rename(path, path + ".unreadable");
  LogWarning("heat", "a keyspace's heat history cannot be read; it begins anew",
             {{"file", path},
              {"error", history.error().message},
              {"set_aside", aside.ok() ? path + ".unreadable" : aside.error().message}});
  return std::nullopt;
}

void HeatFiles::Write(model::KeyspaceId keyspace, std::string_view bytes) {
  Status written = files_.CreateDir(dir_);
  if (written.ok()) written = env::ReplaceFile(files_, dir_, NameOf(keyspace), bytes);
  if (!written.ok() && !failing_) {
    LogWarning("heat", "the heat history cannot be written; a restart would forget it",
               {{"directory", dir_}, {"error", written.error().message}});
  }
  failing_ = !written.ok();
}

}  // namespace sluice::app
