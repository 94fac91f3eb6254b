// From TOML text to plain structs: names, types and bounds of single settings, nothing between
// them.
#pragma once

#include <string_view>

#include "config/config.h"
#include "config/problems.h"

namespace sluice::config {

// What the text and the overrides say, defaults for the rest. Every mistake goes to `problems`,
// which also learns where each setting was said; what was wrong keeps its default.
Config Read(std::string_view text, const Overrides& overrides, Problems& problems);

// "host:port", "[::1]:7379". kInvalid otherwise.
Result<Address> ParseAddress(std::string_view text);

// A TOML basic string, quotes included.
std::string QuoteToml(std::string_view text);

}  // namespace sluice::config
