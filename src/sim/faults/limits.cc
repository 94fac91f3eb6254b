// Limits: for a while every keyspace has a tight limit, and each change is met by writes under way.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 200;  // steps between two changes, about

class Limits final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    Heal(hands);
    if (hands.prng.OneIn(3)) return;
    // No command that a workload sends can never pass.
    hands.trouble.limit = {1 + hands.prng.Below(200), 1, 32 + hands.prng.Below(100)};
    hands.scene.Note("fault: {} writes a second, {} at once", hands.trouble.limit.writes,
                     hands.trouble.limit.burst);
  }
  void Heal(Hands& hands) override { hands.trouble.limit = {}; }
};

}  // namespace

std::unique_ptr<Fault> MakeLimits() {
  return std::make_unique<Limits>();
}

}  // namespace sluice::sim
