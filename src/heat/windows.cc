#include "heat/windows.h"

namespace sluice::heat {

void Windows::EndSecond(const Load& load) {
  second_ = load;
  Add(minute_, kMinuteSlotSeconds, seconds_, load);
  Add(ten_, kTenSlotSeconds, seconds_, load);
  ++seconds_;
}

void Windows::Add(const Windows& other, double share) {
  // Both began with the node, so their slots stand for the same times.
  seconds_ = std::max(seconds_, other.seconds_);
  second_ += other.second_.Part(share);
  for (size_t i = 0; i < minute_.size(); ++i) minute_[i] += other.minute_[i].Part(share);
  for (size_t i = 0; i < ten_.size(); ++i) ten_[i] += other.ten_[i].Part(share);
}

}  // namespace sluice::heat
