#include "config/day_window.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::config {
namespace {

constexpr uint32_t kNoTime = ~0U;

// "hh:mm" as minutes.
uint32_t ParseTime(std::string_view text) {
  constexpr std::string_view kShape = "00:00";
  if (text.size() != kShape.size()) return kNoTime;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return kNoTime;
  }
  const auto two = [&](size_t at) {
    return static_cast<uint32_t>((text[at] - '0') * 10 + (text[at + 1] - '0'));
  };
  const uint32_t hours = two(0), minutes = two(3);
  if (hours > 23 || minutes > 59) return kNoTime;
  return hours * 60 + minutes;
}

}  // namespace

Result<DayWindow> ParseDayWindow(std::string_view text) {
  const size_t dash = std::min(text.find('-'), text.size());
  const uint32_t from = ParseTime(text.substr(0, dash));
  const uint32_t to = dash < text.size() ? ParseTime(text.substr(dash + 1)) : kNoTime;
  if (from == kNoTime || to == kNoTime || from == to) {
    return Fail(Code::kInvalid,
                fmt::format("\"{}\" is no part of a day like \"02:00-05:00\"", text));
  }
  return DayWindow{from, to};
}

}  // namespace sluice::config
