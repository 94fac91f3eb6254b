#include "route/token.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::route {
namespace {

constexpr size_t kAtOnceMax = 512;  // segments up to here are hashed in one go, on the stack

bool IsNumber(std::string_view segment) {
  return !segment.empty() && segment.size() <= kNumberDigitsMax &&
         std::all_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string_view HashedPart(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

void AppendHash(std::string& to, std::string_view bytes) {
  AppendBe64(to, XXH3_64bits(bytes.data(), bytes.size()));
}

void AppendHash(std::string& to, std::span<const std::string_view> segments) {
  size_t size = 0;
  for (const std::string_view segment : segments) size += segment.size() + 1;
  if (size <= kAtOnceMax) {
    std::array<char, kAtOnceMax> bytes;
    char* end = bytes.data();
    for (const std::string_view segment : segments) {
      end = std::copy(segment.begin(), segment.end(), end);
      *end++ = 0;
    }
    return AppendHash(to, std::string_view(bytes.data(), size));
  }
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const std::string_view segment : segments) {
    XXH3_64bits_update(&state, segment.data(), segment.size());
    XXH3_64bits_update(&state, "", 1);
  }
  AppendBe64(to, XXH3_64bits_digest(&state));
}

void AppendRangeCode(std::string& to, std::string_view segment) {
  if (IsNumber(segment)) {
    const size_t zeroes = std::min(segment.find_first_not_of('0'), segment.size());
    const std::string_view digits = segment.substr(zeroes);
    to += '\x01';
    to += static_cast<char>(digits.size());
    to += digits;
    to += static_cast<char>(digits.empty() ? zeroes : 255 - zeroes);
    return;
  }
  to += '\x02';
  for (const char c : segment) {
    to += c;
    if (c == 0) to += '\xff';
  }
  to += '\0';
  to += '\x01';
}

void AppendRegion(std::string& to, uint16_t number) {
  AppendBe16(to, number);
}

}  // namespace sluice::route
