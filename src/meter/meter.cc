#include "meter/meter.h"

#include <algorithm>

#include "base/check.h"

namespace sluice::meter {
namespace {

bool IsName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool NameFits(const Description& description) {
  constexpr std::string_view kPrefix = "sluice_", kTotal = "_total";
  std::string_view name = description.name;
  // The prefix, a room, a noun.
  if (!IsName(name) || !name.starts_with(kPrefix)) return false;
  if (std::count(name.begin(), name.end(), '_') < 2) return false;
  const bool counts = description.kind == Kind::kCounter;
  if (name.ends_with(kTotal) != counts) return false;
  if (counts) name.remove_suffix(kTotal.size());
  if (name.ends_with("_bytes") != (description.options.unit == Unit::kBytes)) return false;
  return name.ends_with("_seconds") == (description.options.unit == Unit::kMicroseconds);
}

}  // namespace

void Set::Declare(Description description, Cell cell) {
  SLUICE_CHECK_MSG(NameFits(description), description.name);
  SLUICE_CHECK_MSG(description.help.ends_with('.') &&
                       description.help.find_first_of("\n|") == std::string_view::npos,
                   description.name);
  SLUICE_CHECK_MSG(description.label.empty() || IsName(description.label), description.name);
  entries_.push_back({description, std::move(cell)});
}

}  // namespace sluice::meter
