// Slow: calls to the disk take long, up to 30 s each, while everybody else goes on.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 100;  // steps between two changes, about
constexpr uint64_t kTakesUs[] = {0, 0, 0, 10'000, 200'000, 30'000'000};

class Slow final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    hands.trouble.disk_us = kTakesUs[hands.prng.Below(std::size(kTakesUs))];
    hands.scene.Note("fault: a call to the disk takes {} us", hands.trouble.disk_us);
  }
  void Heal(Hands& hands) override { hands.trouble.disk_us = 0; }
};

}  // namespace

std::unique_ptr<Fault> MakeSlow() {
  return std::make_unique<Slow>();
}

}  // namespace sluice::sim
