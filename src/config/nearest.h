// Nearest: which valid name somebody probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::config {

// How many characters to insert, delete, replace or swap with a neighbour to get from one to other.
size_t EditDistance(std::string_view from, std::string_view to);

// `did you mean "shards"?`, with all valid names behind it when none is really close.
// Requires: valid is not empty.
std::string Suggest(std::string_view name, std::span<const std::string_view> valid);

}  // namespace sluice::config
