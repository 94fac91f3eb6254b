// Glob patterns of clients (KEYS, SCAN, CONFIG GET, ACL keys) against a matcher that tries all.
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "base/glob.h"

namespace sluice {
namespace {

// The bytes of the pattern's first element, which is no star.
size_t ElementSize(std::string_view pattern) {
  if (pattern[0] == '\\') return pattern.size() >= 2 ? 2 : 1;
  if (pattern[0] != '[') return 1;
  size_t at = pattern.size() > 1 && pattern[1] == '^' ? 2 : 1;
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      at += 2;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      at += 3;
    } else {
      ++at;
    }
  }
  return std::min(at + 1, pattern.size());
}

// Every star tried at every length, from the end of both; one element against one byte is left to
// GlobMatch itself.
bool MatchesByTrying(std::string_view pattern, std::string_view text, Letters letters) {
  std::vector<std::vector<bool>> matches(pattern.size() + 1,
                                         std::vector<bool>(text.size() + 1, false));
  matches[pattern.size()][text.size()] = true;
  for (size_t p = pattern.size(); p-- > 0;) {
    for (size_t t = text.size() + 1; t-- > 0;) {
      if (pattern[p] == '*') {
        matches[p][t] = matches[p + 1][t] || (t < text.size() && matches[p][t + 1]);
      } else if (t < text.size()) {
        const size_t size = ElementSize(pattern.substr(p));
        matches[p][t] = matches[p + size][t + 1] &&
                        GlobMatch(pattern.substr(p, size), text.substr(t, 1), letters);
      }
    }
  }
  return matches[0][0];
}

}  // namespace
}  // namespace sluice

SLUICE_FUZZ(base_glob) {
  using namespace sluice;
  Reader reader(bytes);
  const Letters letters = reader.Le<uint8_t>() % 2 == 0 ? Letters::kExact : Letters::kAnyCase;
  const std::string_view pattern = TakePiece(reader, 40);
  const std::string_view text = reader.rest().substr(0, 60);
  SLUICE_CHECK(GlobMatch(pattern, text, letters) == MatchesByTrying(pattern, text, letters));
}
