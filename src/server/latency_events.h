// LatencyEvents: the spikes of lately, by what was slow, for LATENCY.
//
// Off while the threshold is 0, as it is at the start. Of the spikes of one second, the highest is
// kept.
//
// Threads:  any; one short lock, taken only for a spike, and by readers.
// Bounds:   kSamplesMax spikes of each event; the oldest goes first.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::server {

class LatencyEvents {
 public:
  static constexpr size_t kSamplesMax = 160;

  // kCommand, kFastCommand: a command kept its lane that long.
  enum class Event : uint8_t { kCommand, kFastCommand };
  static constexpr std::array<std::string_view, 2> kNames = {"command", "fast-command"};
  static std::optional<Event> Named(std::string_view name);  // in any case

  struct Sample {
    uint64_t unix_s = 0, ms = 0;
  };
  struct Spikes {
    std::deque<Sample> samples;  // oldest first
    uint64_t highest_ms = 0;     // since the last reset
  };

  std::atomic<int64_t> threshold_ms{0};

  bool IsSpike(uint64_t microseconds) const {
    const int64_t ms = threshold_ms.load(std::memory_order_relaxed);
    return ms > 0 && microseconds / 1000 >= static_cast<uint64_t>(ms);
  }
  void Add(Event event, uint64_t unix_s, uint64_t ms);
  Spikes Of(Event event) const;
  // True if there was anything to forget.
  bool Reset(Event event);

 private:
  mutable std::mutex mutex_;
  std::array<Spikes, kNames.size()> events_;
};

}  // namespace sluice::server
