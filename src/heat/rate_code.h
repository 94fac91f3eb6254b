// RateCode: a rate of writes in one byte.
//
// 0: nothing is known; 1: no writes; from 2 on, six steps to the octave from one write an hour to
// more than 10^9 a second: a rate is told within 6 %. Subtracting kCodesPerOctave halves.
//
// Format:   docs/formats/heat.md
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

namespace sluice::heat {

inline constexpr uint8_t kCodeUnknown = 0, kCodeNone = 1, kCodeLeast = 2, kCodesPerOctave = 6;
inline constexpr double kRateLeast = 1.0 / 3600;

inline uint8_t CodeOf(double per_second) {
  // What rounds to less than the least is nothing.
  const double steps = std::round(kCodesPerOctave * std::log2(per_second / kRateLeast));
  if (!(steps >= 0)) return kCodeNone;
  return static_cast<uint8_t>(std::fmin(kCodeLeast + steps, 255));
}

// Per second; none when it is not known.
inline std::optional<double> RateOf(uint8_t code) {
  static const std::array<double, 256> rates = [] {
    std::array<double, 256> all{};
    for (int i = kCodeLeast; i < 256; ++i) {
      all[static_cast<size_t>(i)] =
          kRateLeast * std::exp2(static_cast<double>(i - kCodeLeast) / kCodesPerOctave);
    }
    return all;
  }();
  if (code == kCodeUnknown) return std::nullopt;
  return rates[code];
}

inline uint8_t HalfOf(uint8_t code) {
  if (code <= kCodeNone) return code;
  return code < kCodeLeast + kCodesPerOctave ? kCodeNone
                                             : static_cast<uint8_t>(code - kCodesPerOctave);
}

// Of two stretches that become one.
inline uint8_t SumOf(uint8_t a, uint8_t b) {
  if (a == kCodeUnknown || b == kCodeUnknown) return a == kCodeUnknown ? b : a;
  return CodeOf(*RateOf(a) + *RateOf(b));
}

}  // namespace sluice::heat
