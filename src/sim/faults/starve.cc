// Starve: a lane, or a thread of the log, the store or the readers, gets no turn for a while.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 200;  // steps between two changes, about

class Starve final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    Heal(hands);
    if (hands.prng.OneIn(2)) hands.trouble.starved = hands.prng.Below(hands.actors);
  }
  void Heal(Hands& hands) override { hands.trouble.starved.reset(); }
};

}  // namespace

std::unique_ptr<Fault> MakeStarve() {
  return std::make_unique<Starve>();
}

}  // namespace sluice::sim
