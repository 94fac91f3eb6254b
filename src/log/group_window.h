// GroupWindow: how long a group stays open for more records, so that one sync pays for many and
// replies still come within a target.
//
//   beyond   what a group takes from being due to being durable: queueing, writing, syncing, a late
//            wake-up; mean + 4 mean deviations, with the gains 1/8 and 1/4 of RFC 6298
//   gap      mean time between arrivals inside a group
//   company  how often of late somebody came while a group had a window
//   window   min(bound, target - beyond), if it is at least kPaysGaps gaps and half of the groups
//            found company; else nothing, and the group is due at once. Once in kProbeEvery times
//            its length a group gets a window all the same, of kProbeUsMost at most, and tells what
//            both are now: but only while some come although others wait, as those do who do not
//            wait for each other.
//   quiet    kQuietGaps gaps without an arrival end a window early: clients that wait for their
//            replies send nothing more, however long they are waited for. What was waited in vain
//            is no gap: few clients would be waited for longer each time.
//
// Pure: all times are arguments, in monotonic microseconds. One user, the committer.
#pragma once

#include <cstdint>

namespace sluice::log {

inline constexpr uint64_t kPaysGaps = 2;
inline constexpr uint64_t kQuietGaps = 6;
inline constexpr uint64_t kQuietMinUs = 50;  // less is within what a timed wait is late by
inline constexpr uint64_t kProbeEvery = 20;
inline constexpr uint64_t kProbeUsMost = 20'000;  // who comes more seldom makes few syncs anyway

// A group's life.
struct GroupTimes {
  uint64_t since_us = 0;   // first arrival
  uint64_t last_us = 0;    // last arrival
  uint64_t arrivals = 0;   // batches
  uint64_t window_us = 0;  // that it was given
  uint64_t due_us = 0;     // when nothing but the disk kept it
  uint64_t durable_us = 0;
};

class GroupWindow {
 public:
  // For the group that is next to be written, and that Learn hears of next.
  uint64_t Open(uint64_t now_us, uint64_t target_us, uint64_t bound_us);
  uint64_t quiet_us() const;  // of that group
  void Learn(const GroupTimes& group);

  uint64_t beyond_us() const { return beyond_us_ + 4 * deviation_us_; }
  uint64_t gap_us() const { return gap_us_; }

 private:
  static constexpr uint64_t kAlways = 1024;  // of company_

  uint64_t beyond_us_ = 0, deviation_us_ = 0;
  uint64_t gap_us_ = 0;
  uint64_t company_ = 0;
  uint64_t probed_us_ = 0;
  uint64_t durable_us_ = 0;  // of the last group
  bool overlaps_ = false;    // it began while the one before it was not durable
  bool probes_ = false;      // the group that was opened last
};

}  // namespace sluice::log
