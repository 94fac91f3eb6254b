// KeyTemplate: `order:{customer_id}:{order_id}`, which keys a keyspace holds.
//
// A key matches when it is the literals in order with a segment between each two. A segment ends
// where the literal behind it first occurs, holds at least one byte, and the last one holds no `:`.
// That makes the match of a key unique, and the set of keys a regular language: two templates are
// compared by walking both automata together.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace sluice::config {

inline constexpr size_t kSegmentsMax = 16;        // of one template; one more is an error
inline constexpr size_t kTemplateBytesMax = 256;  // a longer one is an error
inline constexpr std::string_view kReservedPrefix = "sluice:";  // keys of Sluice itself

// literals[i] stands before segments[i]; the last literal is the tail and may be empty.
struct KeyTemplate {
  std::vector<std::string> literals;
  std::vector<std::string> segments;
};

// kInvalid: braces that do not pair, a segment's name that is no name or comes twice, no literal in
// front or between two segments, no segment at all, too long.
Result<KeyTemplate> ParseTemplate(std::string_view text);

// A key that both match, a shortest one; nothing when there is none.
std::optional<std::string> CommonKey(const KeyTemplate& one, const KeyTemplate& other);

// Whether some key that begins with `prefix` matches.
bool CanBeginWith(const KeyTemplate& key, std::string_view prefix);

// Whether the key matches, by the automaton that CommonKey walks.
bool Accepts(const KeyTemplate& key, std::string_view text);

}  // namespace sluice::config
