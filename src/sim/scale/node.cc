#include "sim/scale/node.h"

#include <algorithm>

namespace sluice::sim::scale {
namespace {

constexpr double kStepSeconds = static_cast<double>(admit::kStepUs) / 1e6;
constexpr uint64_t kSyncUs = 1'000;
constexpr auto kBackground = static_cast<size_t>(model::Priority::kBackground);

}  // namespace

void Node::Step(uint64_t now_us) {
  admit::Seen seen;
  seen.used = used_;
  for (size_t i = 0; i < admit::kPriorities; ++i) seen.waits[i] = !waiting_[i].empty();
  delay_.Sample(admit::kStepUs, static_cast<uint64_t>(queue_ / capacity_ * 1e6), kSyncUs);
  const double full = queue_ / (kQueueSeconds * capacity_);
  seen.pressures[static_cast<size_t>(admit::Cause::kLog)] =
      std::max(delay_.pressure(), admit::kBound * full);
  budget_.Allow(controller_.Step(now_us, seen));
  used_ = {};
  for (size_t i = 0; i < admit::kPriorities; ++i) {
    Arrive(i, now_us);
    Run(i, now_us);
  }
  queue_ = std::max(0.0, queue_ - capacity_ * kStepSeconds);
}

void Node::Arrive(size_t priority, uint64_t now_us) {
  double rate = rates_[priority];
  if (priority == kBackground) {
    if (!waiting_[priority].empty()) return;  // copying goes on when its last piece is done
    rate *= budget_.background();
  }
  parts_[priority] += rate * kStepSeconds;
  const auto units = static_cast<uint64_t>(parts_[priority]);
  if (units == 0) return;
  parts_[priority] -= static_cast<double>(units);
  done_.came[priority] += units;
  waiting_[priority].push_back({units, now_us});
}

void Node::Run(size_t priority, uint64_t now_us) {
  auto& waiting = waiting_[priority];
  while (!waiting.empty() && queue_ < kQueueSeconds * capacity_) {
    const auto as = static_cast<model::Priority>(priority);
    const uint64_t units = std::min(budget_.Left(as), waiting.front().units);
    if (units == 0 || !budget_.Take(as, units)) break;
    used_[priority] += units;
    done_.ran[priority] += units;
    queue_ += static_cast<double>(units);
    waiting.front().units -= units;
    if (waiting.front().units == 0) waiting.pop_front();
  }
  while (!waiting.empty() &&
         now_us - waiting.front().since_us > admit::Budget::kPatienceUs[priority]) {
    done_.refused[priority] += waiting.front().units;
    waiting.pop_front();
  }
}

}  // namespace sluice::sim::scale
