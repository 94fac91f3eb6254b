#include "server/command_totals.h"

#include <cmath>

#include "server/connections.h"

namespace sluice::server {

uint64_t CommandTotals::Quantile(double q) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(q * static_cast<double>(calls)));
  uint64_t seen = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    seen += times[i];
    if (seen > 0 && seen >= wanted) return uint64_t{1} << i;
  }
  return 0;
}

CommandTotals TotalsOf(const Context& context, size_t command) {
  CommandTotals totals;
  for (Connections* connections : context.connections) {
    const CommandCount& count = connections->counts().At(command);
    totals.microseconds += count.microseconds.value();
    totals.rejected += count.rejected.value();
    totals.failed += count.failed.value();
    for (size_t i = 0; i < totals.times.size(); ++i) totals.times[i] += count.times[i].value();
  }
  for (const uint64_t times : totals.times) totals.calls += times;
  return totals;
}

}  // namespace sluice::server
