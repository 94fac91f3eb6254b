#include "config/quantity.h"

#include <fmt/format.h>

#include <charconv>
#include <span>

namespace sluice::config {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
// By size: formatting takes the greatest that divides.
constexpr Unit kSizes[] = {{"B", 1},
                           {"KiB", uint64_t{1} << 10},
                           {"MiB", uint64_t{1} << 20},
                           {"GiB", uint64_t{1} << 30},
                           {"TiB", uint64_t{1} << 40}};
constexpr Unit kDurations[] = {{"us", 1},         {"ms", 1'000},        {"s", 1'000'000},
                               {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}};

Result<uint64_t> Parse(std::string_view text, std::span<const Unit> units, std::string_view like) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range) {
    return Fail(Code::kInvalid, fmt::format("\"{}\" is too large", text));
  }
  const std::string_view name(rest, end - rest);
  for (const Unit& unit : units) {
    if (error != std::errc{} || name != unit.name) continue;
    uint64_t value = 0;
    if (!__builtin_mul_overflow(number, unit.factor, &value)) return value;
    return Fail(Code::kInvalid, fmt::format("\"{}\" is too large", text));
  }
  std::string names;
  for (const Unit& unit : units) {
    if (!names.empty()) names += unit.name == units.back().name ? " or " : ", ";
    names += unit.name;
  }
  return Fail(
      Code::kInvalid,
      fmt::format("\"{}\" is not a whole number followed by {}, like \"{}\"", text, names, like));
}

std::string Format(uint64_t value, std::span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  const Unit* best = &units[0];
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

}  // namespace

Result<uint64_t> ParseSize(std::string_view text) {
  return Parse(text, kSizes, "256KiB");
}

Result<uint64_t> ParseDuration(std::string_view text) {
  return Parse(text, kDurations, "10m");
}

std::string FormatSize(uint64_t bytes) {
  return Format(bytes, kSizes, "0B");
}

std::string FormatDuration(uint64_t microseconds) {
  return Format(microseconds, kDurations, "0ms");
}

}  // namespace sluice::config
