// Strict reading and exact printing of numbers, as the Redis protocol wants them.
//
// No spaces, no sign but '-', no leading zeroes: a text is a number or it is not.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

inline constexpr size_t kIntCharsMax = 20;            // "-9223372036854775808"
inline constexpr size_t kLongDoubleCharsMax = 5'120;  // of a float to read; a longer one is none

// False, and `*value` untouched, unless all of `text` is one integer of 64 bits in its shortest
// form.
bool ParseInt(std::string_view text, int64_t* value);

// What strtold reads, "inf" and hexadecimal included. False on leading space, trailing bytes, NaN,
// or a number that overflows or vanishes.
bool ParseLongDouble(std::string_view text, long double* value);

// Writes at most kIntCharsMax bytes; returns the end.
inline char* StoreInt(char* to, int64_t value) {
  return std::to_chars(to, to + kIntCharsMax, value).ptr;
}

// Fixed point with 17 digits after the point, trailing zeroes removed: "3", "10.5", "inf", "0" for
// a negative zero.
std::string PrintLongDouble(long double value);

// Shortest of 17 significant digits, as "%.17g": "0.10000000000000001", "1e+20", "inf", "nan".
std::string PrintDouble(double value);

}  // namespace sluice
