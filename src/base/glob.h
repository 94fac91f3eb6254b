// Glob patterns as Redis understands them: ? * [abc] [^a-z] and \ before a character taken as it
// is.
//
// An unclosed class ends with the pattern, a range may be written backwards, and a lone \ at the
// end is itself. Takes at most text × pattern steps whatever the pattern, and no memory.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

enum class Letters : uint8_t { kExact, kAnyCase };

// Whether the whole text matches the whole pattern. Bytes, not characters; kAnyCase folds A to Z.
bool GlobMatch(std::string_view pattern, std::string_view text, Letters letters = Letters::kExact);

}  // namespace sluice
