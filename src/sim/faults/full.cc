// Full: the disk has little room left, or none; after a while there is room again.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 800;          // steps between two such times, about
constexpr uint64_t kRoomMost = 256 << 10;  // bytes that are left
constexpr uint64_t kStepsMost = 1000;      // until there is room again

class Full final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (hands.files().full()) {
      if (--left_ == 0) Heal(hands);
      return;
    }
    if (!hands.prng.OneIn(kRarity)) return;
    left_ = 1 + hands.prng.Below(kStepsMost);
    const uint64_t room = hands.prng.OneIn(2) ? 0 : hands.prng.Below(kRoomMost);
    hands.scene.Note("fault: {} bytes are left on the disk", room);
    hands.files().SetRoom(room);
  }
  void Heal(Hands& hands) override {
    hands.scene.Note("there is room on the disk");
    hands.files().SetFull(false);
  }

 private:
  uint64_t left_ = 0;
};

}  // namespace

std::unique_ptr<Fault> MakeFull() {
  return std::make_unique<Full>();
}

}  // namespace sluice::sim
