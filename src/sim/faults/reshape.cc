// Reshape: for a while shards are split, merged and moved all the time (sim/reshaper.h).
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 300;  // steps between two changes, about

class Reshape final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (hands.prng.OneIn(kRarity)) hands.trouble.reshapes = !hands.prng.OneIn(4);
  }
  void Heal(Hands& hands) override { hands.trouble.reshapes = false; }
};

}  // namespace

std::unique_ptr<Fault> MakeReshape() {
  return std::make_unique<Reshape>();
}

}  // namespace sluice::sim
