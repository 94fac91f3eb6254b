#include "server/overload.h"

#include <algorithm>
#include <utility>

#include "server/connections.h"
#include "server/context.h"

namespace sluice::server {
namespace {

int64_t Percent(double share) {
  return static_cast<int64_t>(share * 100);
}

}  // namespace

void Overload::Step(uint64_t now_us) {
  const uint64_t passed_us = now_us - last_us_;
  if (passed_us < admit::kStepUs || !enabled_) return;
  last_us_ = now_us;
  FindStuckLog(now_us);
  const admit::Seen seen = Look(passed_us);
  const admit::Allowed& allowed = controller_.Step(now_us, seen);
  context_.node.budget.Allow(allowed);
  Count(passed_us, seen, allowed);
}

void Overload::FindStuckLog(uint64_t now_us) {
  if (!context_.node.committer->full()) {
    log_full_us_ = 0;
  } else if (log_full_us_ == 0) {
    log_full_us_ = now_us;
  }
  const bool stuck = log_full_us_ != 0 && now_us - log_full_us_ >= kStuckUs;
  context_.node.log_stuck.store(stuck, std::memory_order_relaxed);
}

admit::Seen Overload::Look(uint64_t passed_us) {
  using admit::Cause;
  admit::Seen seen;
  const auto set = [&seen](Cause cause, double pressure) {
    double& now = seen.pressures[static_cast<size_t>(cause)];
    now = std::max(now, pressure);
  };
  const ingest::Node& node = context_.node;
  const log::Committer& committer = *node.committer;
  log_.Sample(passed_us, committer.waiting_us(), committer.last_sync_us());
  // Without room on the disk nothing waits for units: writes are refused for what it is.
  if (!committer.no_space()) {
    set(Cause::kLog, log_.pressure());
    set(Cause::kLog, admit::kBound * committer.fullness());
  }
  // The same of a store that refuses runs.
  if (!node.background.StoreTrouble()) {
    for (const ingest::Lane* lane : node.lanes) set(Cause::kBuffers, lane->buffers_pressure());
    set(Cause::kStore, admit::kBound * node.background.StoreFullness());
  }
  set(Cause::kProjection, node.projections_pressure.load(std::memory_order_relaxed));
  uint64_t longest_us = 0;
  admit::ByPriority<uint64_t> used{};
  for (Connections* connections : context_.connections) {
    longest_us = std::max(longest_us, connections->TakeLongestWaitUs());
    const Meters& meters = connections->meters();
    for (size_t i = 0; i < admit::kPriorities; ++i) {
      const auto priority = static_cast<model::Priority>(i);
      used[i] += meters.units[priority].value();
      seen.waits[i] = seen.waits[i] || meters.waiting[priority].value() > 0;
    }
  }
  lanes_.Sample(passed_us, longest_us, 0);
  seen.delay = lanes_.pressure();
  for (size_t i = 0; i < used.size(); ++i) {
    seen.used[i] = used[i] - std::exchange(used_[i], used[i]);
  }
  return seen;
}

void Overload::Count(uint64_t passed_us, const admit::Seen& seen, const admit::Allowed& allowed) {
  for (size_t i = 0; i < admit::kCauses; ++i) {
    meters_.pressure[static_cast<admit::Cause>(i)].Set(Percent(seen.pressures[i]));
  }
  meters_.lanes.Set(Percent(seen.delay));
  meters_.limited.Set(allowed.limited ? 1 : 0);
  if (allowed.limited) meters_.limited_steps.Add();
  const double seconds = static_cast<double>(passed_us) / 1e6;
  for (size_t i = 1; i < admit::kPriorities; ++i) {
    const double rate = allowed.limited ? allowed.units[i] / seconds : 0;
    meters_.allowed[static_cast<model::Priority>(i)].Set(static_cast<int64_t>(rate));
  }
  meters_.background.Set(Percent(allowed.background));
}

}  // namespace sluice::server
