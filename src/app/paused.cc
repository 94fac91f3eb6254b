#include "app/paused.h"

#include <fmt/format.h>

#include <string_view>

namespace sluice::app {
namespace {

constexpr std::string_view kName = "paused";
constexpr std::string_view kHead = "sluice paused projections, format 1\n";
constexpr uint64_t kBytesMax = 1 << 20;

}  // namespace

Result<PausedNames> PausedFile::Read() const {
  const std::string path = fmt::format("{}/{}", dir_, kName);
  auto bytes = env::ReadFile(files_, path, kBytesMax);
  PausedNames names;
  if (!bytes.has_value() && bytes.error().code == Code::kNotFound) return names;
  SLUICE_TRY(bytes);
  if (!bytes->starts_with(kHead) || bytes->back() != '\n') {
    return Fail(Code::kInvalid,
                fmt::format("{}: no list of paused projections, or one of a newer format; without "
                            "the file, none is paused",
                            path));
  }
  std::string_view rest(*bytes);
  rest.remove_prefix(kHead.size());
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    names.emplace(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return names;
}

Status PausedFile::Write(const PausedNames& names) {
  std::string bytes(kHead);
  for (const std::string& name : names) bytes += name + "\n";
  return env::ReplaceFile(files_, dir_, std::string(kName), bytes);
}

}  // namespace sluice::app
