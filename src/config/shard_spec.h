// ShardSpec: how a keyspace's keys become tokens, `geo(country) then hash(user_id)`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace sluice::config {

// One step of a spec, over the named segments of the key's template.
struct SpecPart {
  enum class Kind : uint8_t { kHash, kRange, kGeo } kind;
  std::vector<std::string> segments;
};

// One part, hash or range; or two, the first of them geo over a single segment.
struct ShardSpec {
  std::vector<SpecPart> parts;

  bool IsGeo() const { return !parts.empty() && parts[0].kind == SpecPart::Kind::kGeo; }
  bool IsRange() const { return !parts.empty() && parts.back().kind == SpecPart::Kind::kRange; }
};

// hash(a, b) · range(a, b) · geo(a) then hash(b) · geo(a) then range(b).
// kInvalid says what was expected instead.
Result<ShardSpec> ParseShardSpec(std::string_view text);

// Less, equal or greater than zero, as segment `a` comes before, at or behind `b` in range tokens:
// up to 20 digits are a number, numbers come first, equal numbers and all else go by bytes.
int CompareSegments(std::string_view a, std::string_view b);
// The same for values of several segments; a shorter one comes before all that continue it.
int CompareSplitPoints(std::span<const std::string> a, std::span<const std::string> b);

}  // namespace sluice::config
