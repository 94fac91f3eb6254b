#include "heat/windows.h"

namespace sluice::heat {

void Windows::EndSecond(const Load& load) {
  second_ = load;
  Add(minute_, kMinuteSlotSeconds, seconds_, load);
  Add(ten_, kTenSlotSeconds, seconds_, load);
  ++seconds_;
}

}  // namespace sluice::heat
