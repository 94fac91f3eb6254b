#include "app/names_file.h"

#include <fmt/format.h>

#include <string_view>

namespace sluice::app {
namespace {

constexpr uint64_t kBytesMax = 1 << 20;

}  // namespace

std::string NamesFile::Head() const {
  return fmt::format("sluice {} projections, format 1\n", what_);
}

Result<Names> NamesFile::Read() const {
  const std::string path = fmt::format("{}/{}", dir_, what_), head = Head();
  auto bytes = env::ReadFile(files_, path, kBytesMax);
  Names names;
  if (!bytes.has_value() && bytes.error().code == Code::kNotFound) return names;
  SLUICE_TRY(bytes);
  if (!bytes->starts_with(head) || bytes->back() != '\n') {
    return Fail(Code::kInvalid,
                fmt::format("{0}: no list of {1} projections, or one of a newer format; without "
                            "the file, none is {1}",
                            path, what_));
  }
  std::string_view rest(*bytes);
  rest.remove_prefix(head.size());
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    names.emplace(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return names;
}

Status NamesFile::Write(const Names& names) {
  std::string bytes = Head();
  for (const std::string& name : names) bytes += name + "\n";
  return env::ReplaceFile(files_, dir_, what_, bytes);
}

}  // namespace sluice::app
