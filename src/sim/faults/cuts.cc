// Cuts: a connection is cut; its replies are lost, and its commands may happen all the same.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 150;  // steps between two cuts, about

class Cuts final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (hands.prng.OneIn(kRarity)) hands.clients.Cut();
  }
};

}  // namespace

std::unique_ptr<Fault> MakeCuts() {
  return std::make_unique<Cuts>();
}

}  // namespace sluice::sim
