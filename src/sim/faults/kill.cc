// Kill: the process dies between two steps, or is asked to stop.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 1000;  // steps between two deaths, about

class Kill final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    hands.ending = hands.prng.OneIn(3) ? Ending::kStopped : Ending::kKilled;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeKill() {
  return std::make_unique<Kill>();
}

}  // namespace sluice::sim
