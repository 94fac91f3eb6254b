#include "config/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "config/config.h"

namespace sluice::config {

Place Problems::PlaceOf(std::string_view path) const {
  while (!path.empty()) {
    if (const auto found = places_.find(path); found != places_.end()) return found->second;
    const size_t dot = path.rfind('.');
    path = path.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
  return {};
}

void Problems::At(const Place& place, std::string_view message) {
  std::string where = filename_;
  if (!place.flag.empty()) {
    where = place.flag;
  } else if (place.line > 0) {
    where += fmt::format(":{}:{}", place.line, place.column);
  }
  lines_.push_back({place, fmt::format("{}: {}", where, message)});
}

Status Problems::Verdict() const {
  if (lines_.empty()) return Ok();
  std::vector<const Line*> sorted;
  for (const Line& line : lines_) sorted.push_back(&line);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Line* a, const Line* b) {
    return std::tie(a->place.flag, a->place.line, a->place.column) <
           std::tie(b->place.flag, b->place.line, b->place.column);
  });
  std::string all;
  for (size_t i = 0; i < std::min(sorted.size(), kErrorsMax); ++i) {
    if (i > 0) all += '\n';
    all += sorted[i]->text;
  }
  if (sorted.size() > kErrorsMax) all += fmt::format("\nand {} more", sorted.size() - kErrorsMax);
  return Fail(Code::kInvalid, std::move(all));
}

}  // namespace sluice::config
