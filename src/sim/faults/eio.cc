// Eio: one call to the disk fails, a write, a sync or any other; in recovery too.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 800;  // steps between two failures, about
constexpr uint64_t kSoon = 40;     // calls to the disk until it comes

class Eio final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (hands.prng.OneIn(kRarity)) Order(hands);
  }
  void Booting(Hands& hands) override {
    if (hands.prng.OneIn(3)) Order(hands);
  }
  void Heal(Hands& hands) override { hands.files().Disarm(); }

 private:
  static void Order(Hands& hands) {
    const Code code = hands.prng.OneIn(4) ? Code::kNoSpace : Code::kIo;
    hands.scene.Note("fault: a call to the disk will fail with {}", CodeName(code));
    hands.files().FailAt(1 + hands.prng.Below(kSoon), code);
  }
};

}  // namespace

std::unique_ptr<Fault> MakeEio() {
  return std::make_unique<Eio>();
}

}  // namespace sluice::sim
