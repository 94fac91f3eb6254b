#include "admit/controller.h"

#include <algorithm>
#include <cmath>

namespace sluice::admit {
namespace {

constexpr std::array<std::string_view, kCauses> kNames = {"log", "buffers", "store", "projection"};
constexpr double kSteep = 3;         // the rate falls by e for each third of pressure
constexpr double kRateS = 0.2;       // over which rates are averaged
constexpr double kCorrectPerS = 1;   // of the guess, for each unit of pressure off 1
constexpr double kPeakFadeS = 60;    // over which a peak is forgotten
constexpr double kGuessLeast = 0.1;  // of the peak: however long nothing went through
constexpr double kGuessMost = 4;     // of the peak
constexpr double kUnitsLeast = 100;  // a second: a node that never carried anything may begin
// Of what is left over, that those before cannot take.
constexpr ByPriority<double> kKept = {0, 0, 0.05, 0.02};
constexpr double kBackgroundLeast = 0.05;

double Fade(double seconds, double over_s) {
  return 1 - std::exp(-seconds / over_s);
}

}  // namespace

std::string_view NameOf(Cause cause) {
  return kNames[static_cast<size_t>(cause)];
}

const Allowed& Controller::Step(uint64_t now_us, const Seen& seen) {
  const uint64_t us = std::min(now_us - last_us_, kLongUs);
  last_us_ = now_us;
  const double seconds = static_cast<double>(us) / 1e6;
  if (us == 0) return allowed_;
  Watch(seconds, seen);
  const auto worst = std::max_element(seen.pressures.begin(), seen.pressures.end());
  const bool was_limited = allowed_.limited;
  allowed_ = {.limited = *worst >= kCalm,
              .cause = static_cast<Cause>(worst - seen.pressures.begin()),
              .pressure = *worst};
  // The store and projections work off what is behind: they are not held back by it.
  const double felt = std::max(seen.delay, seen.pressures[static_cast<size_t>(Cause::kLog)]);
  allowed_.background = std::clamp((kBound - felt) / (kBound - kCalm), kBackgroundLeast, 1.0);
  if (!allowed_.limited) return allowed_;
  if (!was_limited) base_ = std::max(carried_, kUnitsLeast);
  Correct(seconds, seen);
  const double rate = *worst >= kBound ? 0 : base_ * std::exp(kSteep * (1 - *worst));
  Share(seconds, rate, seen.waits);
  return allowed_;
}

void Controller::Watch(double seconds, const Seen& seen) {
  double all = 0;
  for (size_t i = 0; i < rates_.size(); ++i) {
    const double rate = static_cast<double>(seen.used[i]) / seconds;
    rates_[i] += (rate - rates_[i]) * Fade(seconds, kRateS);
    all += rates_[i];
  }
  carried_ = all;
  peak_ = std::max(all, peak_ * (1 - Fade(seconds, kPeakFadeS)));
}

void Controller::Correct(double seconds, const Seen& seen) {
  const double off = 1 - allowed_.pressure;
  const bool waits = std::any_of(seen.waits.begin(), seen.waits.end(), [](bool it) { return it; });
  // Who could take more and does not says nothing about what the node carries.
  if (off > 0 && !waits) return;
  base_ *= std::exp(kCorrectPerS * std::max(off, -1.0) * seconds);
  base_ = std::clamp(base_, std::max(peak_ * kGuessLeast, kUnitsLeast),
                     std::max(peak_ * kGuessMost, kUnitsLeast));
}

void Controller::Share(double seconds, double rate, const ByPriority<bool>& waits) {
  double left = std::max(rate - rates_[0], 0.0);
  for (size_t i = 1; i < kPriorities; ++i) {
    double kept = 0;
    for (size_t later = i + 1; later < kPriorities; ++later) {
      if (waits[later] || rates_[later] > 0) kept += kKept[later] * rate;
    }
    allowed_.units[i] = std::max(left - kept, kKept[i] * rate) * seconds;
    left = std::max(left - rates_[i], 0.0);
  }
}

}  // namespace sluice::admit
