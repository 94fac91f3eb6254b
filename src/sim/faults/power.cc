// Power: it fails at some call to the disk soon; in recovery too.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 600;    // steps between two cuts, about
constexpr uint64_t kSoon = 40;       // calls to the disk until it comes, if it is not the next
constexpr uint64_t kBootCalls = 30;  // about as many as a recovery makes

class Power final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    hands.scene.Note("fault: the power will fail");
    hands.files().CutPowerAt(1 + (hands.prng.OneIn(2) ? hands.prng.Below(kSoon) : 0));
  }
  void Booting(Hands& hands) override {
    if (hands.prng.OneIn(3)) hands.files().CutPowerAt(1 + hands.prng.Below(kBootCalls));
  }
  void Heal(Hands& hands) override { hands.files().Disarm(); }
};

}  // namespace

std::unique_ptr<Fault> MakePower() {
  return std::make_unique<Power>();
}

}  // namespace sluice::sim
