// Refusals that say "not applied, come back later" (docs/reference: errors), as loads hear them.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace sluice::cli {

inline constexpr uint64_t kRetryMsUsual = 50;  // when a refusal does not say how long
inline constexpr uint64_t kRetryMsMax = 10'000;

inline bool IsRefusalForNow(std::string_view error) {
  constexpr std::array<std::string_view, 5> kWords = {"THROTTLED", "OVERLOADED", "TRYAGAIN",
                                                      "NOSPACE", "LOADING"};
  const std::string_view word = error.substr(0, error.find(' '));
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

inline uint64_t RetryMs(std::string_view refusal) {
  constexpr std::string_view kName = "retry_ms=";
  const size_t at = refusal.find(kName);
  uint64_t ms = kRetryMsUsual;
  if (at != std::string_view::npos) {
    const std::string_view digits = refusal.substr(at + kName.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), ms);
  }
  return std::clamp<uint64_t>(ms, 1, kRetryMsMax);
}

}  // namespace sluice::cli
