// What a client may call itself: printable, without spaces, so that CLIENT LIST stays readable.
#pragma once

#include <algorithm>
#include <string_view>

namespace sluice::server {

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

inline bool IsClientName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace sluice::server
