#include "config/rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::config {
namespace {

constexpr std::string_view kBurst = " burst ";

// A whole number at the front of `text`, which it leaves. False: there is none, or it is 2^64 or
// more.
bool TakeNumber(std::string_view& text, uint64_t& number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(rest - text.data()));
  return true;
}

uint64_t PeriodOf(std::string_view unit) {
  if (unit == "s") return 1;
  if (unit == "m") return 60;
  return unit == "h" ? 3'600 : 0;
}

}  // namespace

Result<Rate> ParseRate(std::string_view text) {
  const auto fail = [](std::string message) { return Fail(Code::kInvalid, std::move(message)); };
  const std::string no_rate =
      fmt::format("\"{}\" is not a rate like \"50000/s\" or \"50000/s burst 100000\"", text);
  std::string_view left = text;
  Rate rate;
  if (!TakeNumber(left, rate.writes) || !left.starts_with('/')) return fail(no_rate);
  const size_t behind = std::min(left.find(' '), left.size());
  const std::string_view unit = left.substr(1, behind - 1);
  left.remove_prefix(behind);
  rate.period_s = PeriodOf(unit);
  if (rate.period_s == 0) {
    return fail(fmt::format("\"{}\": a rate is per s, m or h, not per \"{}\"", text, unit));
  }
  if (rate.writes == 0) {
    return fail(
        fmt::format("\"{}\" would refuse every write; \"none\" is no limit, and who must not write "
                    "is a user without the category write",
                    text));
  }
  if (rate.writes > kRateWritesMost) {
    return fail(fmt::format("\"{}\": at most {} writes", text, kRateWritesMost));
  }
  const uint64_t second = (rate.writes + rate.period_s - 1) / rate.period_s;
  rate.burst = second;
  if (left.empty()) return rate;
  if (!left.starts_with(kBurst)) return fail(no_rate);
  left.remove_prefix(kBurst.size());
  if (!TakeNumber(left, rate.burst) || !left.empty()) return fail(no_rate);
  if (rate.burst == 0) {
    return fail(fmt::format("\"{}\": a burst below one write would refuse every write", text));
  }
  const uint64_t most = std::max<uint64_t>(1, rate.writes * (kBurstSecondsMost / rate.period_s));
  if (rate.burst > most) {
    return fail(fmt::format("\"{}\": at this rate a burst is at most {} writes, those of a day",
                            text, most));
  }
  return rate;
}

}  // namespace sluice::config
