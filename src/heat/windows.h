// Windows: what a shard did in the last second, minute and ten minutes.
//
// A window is whole slots and the one that is open: seconds are kept one by one, the minute as
// slots of 5 s, the ten minutes as slots of 1 min. So a rate over a minute is of the last 55 to 60
// seconds; what was counted is divided by the seconds that it covers, from the beginning on.
//
// Owns:     kMinuteSlots + kTenSlots + 1 sums: 1,200 bytes.
// Threads:  none; one caller at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace sluice::heat {

struct Load {
  double writes = 0, reads = 0;  // commands
  double bytes = 0;              // of keys and values written
  double cpu_us = 0;             // of its lane
  double queued = 0;             // commands that wait in the shard: a level, told as a mean
  double queue_bytes = 0;        // of those

  Load& operator+=(const Load& other) {
    writes += other.writes;
    reads += other.reads;
    bytes += other.bytes;
    cpu_us += other.cpu_us;
    queued += other.queued;
    queue_bytes += other.queue_bytes;
    return *this;
  }
  Load Part(double share) const {
    return {writes * share, reads * share,  bytes * share,
            cpu_us * share, queued * share, queue_bytes * share};
  }
  Load Per(double seconds) const {
    return {writes / seconds, reads / seconds,  bytes / seconds,
            cpu_us / seconds, queued / seconds, queue_bytes / seconds};
  }
};

class Windows {
 public:
  // A second is over in which this was counted.
  void EndSecond(const Load& load);

  // Adds a part of what another shard had.
  void Add(const Windows& other, double share);

  // Per second; nothing before the first EndSecond.
  Load second() const { return second_; }
  Load minute() const { return Rate(minute_, kMinuteSlots, kMinuteSlotSeconds); }
  Load ten_minutes() const { return Rate(ten_, kTenSlots, kTenSlotSeconds); }
  // Writes a second in the busiest of the ten minutes; the open one counts as if it were over.
  double busiest_minute() const {
    double most = 0;
    for (const Load& slot : ten_) most = std::max(most, slot.writes);
    return most / static_cast<double>(kTenSlotSeconds);
  }

 private:
  static constexpr uint64_t kMinuteSlots = 12, kMinuteSlotSeconds = 5;
  static constexpr uint64_t kTenSlots = 10, kTenSlotSeconds = 60;

  template <class Slots>
  static void Add(Slots& slots, uint64_t slot_seconds, uint64_t second, const Load& load) {
    Load& slot = slots[second / slot_seconds % slots.size()];
    if (second % slot_seconds == 0) slot = {};
    slot += load;
  }
  template <class Slots>
  Load Rate(const Slots& slots, uint64_t count, uint64_t slot_seconds) const {
    if (seconds_ == 0) return {};
    Load sum;
    for (const Load& slot : slots) sum += slot;
    const uint64_t open = (seconds_ - 1) % slot_seconds + 1;
    return sum.Per(static_cast<double>(std::min(seconds_, (count - 1) * slot_seconds + open)));
  }

  Load second_;
  std::array<Load, kMinuteSlots> minute_;
  std::array<Load, kTenSlots> ten_;
  uint64_t seconds_ = 0;
};

}  // namespace sluice::heat
