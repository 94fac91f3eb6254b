#include "server/latency_events.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace sluice::server {

std::optional<LatencyEvents::Event> LatencyEvents::Named(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (EqualFolded(name, kNames[i])) return static_cast<Event>(i);
  }
  return std::nullopt;
}

void LatencyEvents::Add(Event event, uint64_t unix_s, uint64_t ms) {
  const std::lock_guard lock(mutex_);
  Spikes& spikes = events_[static_cast<size_t>(event)];
  spikes.highest_ms = std::max(spikes.highest_ms, ms);
  if (!spikes.samples.empty() && spikes.samples.back().unix_s == unix_s) {
    spikes.samples.back().ms = std::max(spikes.samples.back().ms, ms);
    return;
  }
  spikes.samples.push_back({unix_s, ms});
  if (spikes.samples.size() > kSamplesMax) spikes.samples.pop_front();
}

LatencyEvents::Spikes LatencyEvents::Of(Event event) const {
  const std::lock_guard lock(mutex_);
  return events_[static_cast<size_t>(event)];
}

bool LatencyEvents::Reset(Event event) {
  const std::lock_guard lock(mutex_);
  return !std::exchange(events_[static_cast<size_t>(event)], {}).samples.empty();
}

}  // namespace sluice::server
