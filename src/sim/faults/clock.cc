// Clock: the wall clock jumps by up to an hour, forth and back; or much time passes at once, as for
// a machine that was suspended.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 1500;  // steps between two jumps, about
constexpr uint64_t kHourMs = 3'600'000;
constexpr uint64_t kPauseUs = 60'000'000;

class Clock final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    env::SimClock& clock = hands.scene.world.clock;
    if (hands.prng.OneIn(3)) return clock.Advance(hands.prng.Below(kPauseUs));
    // Small jumps as well: they meet what lives for seconds.
    const uint64_t most = hands.prng.OneIn(2) ? kHourMs : kHourMs / 3600;
    const int64_t jump =
        static_cast<int64_t>(hands.prng.Below(2 * most)) - static_cast<int64_t>(most);
    hands.scene.Note("fault: the wall clock jumps by {} ms", jump);
    clock.StepWall(jump);
    ++hands.scene.clock_jumps;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeClock() {
  return std::make_unique<Clock>();
}

}  // namespace sluice::sim
