#include "admit/budget.h"

#include <algorithm>
#include <cmath>

namespace sluice::admit {
namespace {

constexpr double kRetryMsLeast = 50, kRetryMsMost = 5'000, kRetryMsAtGood = 100;

}  // namespace

uint64_t Budget::Rest(uint64_t worked_us) const {
  const double share = background();
  const double us = static_cast<double>(worked_us) * (1 / share - 1);
  return static_cast<uint64_t>(std::min(us, static_cast<double>(kRestUsMax)));
}

uint64_t Budget::RetryMs() const {
  const double ms = kRetryMsAtGood * pressure();
  return static_cast<uint64_t>(std::clamp(ms, kRetryMsLeast, kRetryMsMost));
}

void Budget::Allow(const Allowed& allowed) {
  for (size_t i = 0; i < units_.size(); ++i) {
    const double granted = allowed.units[i] + parts_[i];
    const double whole = std::floor(granted);
    parts_[i] = granted - whole;
    // Takes of other lanes may come in between: then this step's are a few more or less.
    const int64_t had = allowed.limited && limited() ? units_[i].load() : 0;
    // Small grants may add up to one; nothing that was saved outlives them.
    const double saved = allowed.units[i] > 0 ? std::max(allowed.units[i] * kSavedSteps, 1.0) : 0;
    const auto most = static_cast<int64_t>(saved);
    const auto debt = static_cast<int64_t>(allowed.units[i] * kDebtSteps);
    units_[i] = std::clamp(had + static_cast<int64_t>(whole), -debt, most);
  }
  cause_ = allowed.cause;
  pressure_ = allowed.pressure;
  background_ = allowed.background;
  limited_ = allowed.limited;
}

}  // namespace sluice::admit
