// Words of commands, whatever their case (ASCII only, as in Redis), and bytes for people to read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

inline char LowerChar(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

inline std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = LowerChar(c);
  return lower;
}

// Requires: `lower` has no capital letters.
inline bool EqualFolded(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (LowerChar(text[i]) != lower[i]) return false;
  }
  return true;
}

// Two lower-case digits per byte.
inline std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    hex.push_back(kDigits[static_cast<uint8_t>(byte) >> 4]);
    hex.push_back(kDigits[static_cast<uint8_t>(byte) & 15]);
  }
  return hex;
}

}  // namespace sluice
