#include "config/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace sluice::config {
namespace {

constexpr size_t kNameBytesMax = 64;  // what is longer is cut: no valid name comes near it

}  // namespace

size_t EditDistance(std::string_view from, std::string_view to) {
  from = from.substr(0, kNameBytesMax);
  to = to.substr(0, kNameBytesMax);
  // Rows of the table of prefixes: distance of from[0, i) to every to[0, j).
  std::vector<size_t> before_last(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
  for (size_t j = 0; j <= to.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[to.size()];
}

std::string Suggest(std::string_view name, std::span<const std::string_view> valid) {
  // Of two names equally near, the one as long as what was written: letters are swapped more often
  // than left out.
  const auto rank = [&](std::string_view one) {
    const size_t longer = std::max(one.size(), name.size());
    return std::pair(EditDistance(name, one), longer - std::min(one.size(), name.size()));
  };
  const auto best = std::min_element(valid.begin(), valid.end(),
                                     [&](auto a, auto b) { return rank(a) < rank(b); });
  if (EditDistance(name, *best) * 2 <= std::max(name.size(), best->size())) {
    return fmt::format("did you mean \"{}\"?", *best);
  }
  return fmt::format("the nearest valid name is \"{}\"; all are: {}", *best,
                     fmt::join(valid, ", "));
}

}  // namespace sluice::config
