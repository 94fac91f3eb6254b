#include "base/glob.h"

#include <utility>

namespace sluice {
namespace {

char Fold(char c, Letters letters) {
  const bool upper = c >= 'A' && c <= 'Z';
  return letters == Letters::kAnyCase && upper ? static_cast<char>(c - 'A' + 'a') : c;
}

struct Step {
  bool matches;
  size_t size;  // of the pattern's element
};

// The class that starts behind its `[`. Ranges compare as signed bytes, as in Redis.
Step MatchClass(std::string_view rest, char c, Letters letters) {
  size_t at = 0;
  const bool negated = !rest.empty() && rest[0] == '^';
  if (negated) ++at;
  bool found = false;
  while (at < rest.size() && rest[at] != ']') {
    if (rest[at] == '\\' && at + 1 < rest.size()) {
      // Redis does not fold the case of an escaped character here.
      found |= rest[at + 1] == c;
      at += 2;
    } else if (at + 2 < rest.size() && rest[at + 1] == '-') {
      auto first = static_cast<signed char>(rest[at]);
      auto last = static_cast<signed char>(rest[at + 2]);
      if (first > last) std::swap(first, last);
      const auto low = static_cast<signed char>(Fold(static_cast<char>(first), letters));
      const auto high = static_cast<signed char>(Fold(static_cast<char>(last), letters));
      const auto byte = static_cast<signed char>(Fold(c, letters));
      found |= byte >= low && byte <= high;
      at += 3;
    } else {
      found |= Fold(rest[at], letters) == Fold(c, letters);
      ++at;
    }
  }
  if (at < rest.size()) ++at;  // the closing bracket
  return {found != negated, at};
}

// One element of the pattern that is no star, against one byte.
Step MatchOne(std::string_view pattern, char c, Letters letters) {
  switch (pattern[0]) {
    case '?':
      return {true, 1};
    case '[': {
      const Step step = MatchClass(pattern.substr(1), c, letters);
      return {step.matches, step.size + 1};
    }
    case '\\':
      if (pattern.size() >= 2) return {Fold(pattern[1], letters) == Fold(c, letters), 2};
      [[fallthrough]];
    default:
      return {Fold(pattern[0], letters) == Fold(c, letters), 1};
  }
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text, Letters letters) {
  size_t p = 0, t = 0;
  // Only the last star is ever widened: what stood before it matched as early as it could.
  bool starred = false;
  size_t star_p = 0, star_t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      starred = true;
      star_p = ++p;
      star_t = t;
      continue;
    }
    if (p < pattern.size()) {
      const Step step = MatchOne(pattern.substr(p), text[t], letters);
      if (step.matches) {
        p += step.size;
        ++t;
        continue;
      }
    }
    if (!starred) return false;
    p = star_p;
    t = ++star_t;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace sluice
