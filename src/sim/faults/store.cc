// Store: for a while it refuses runs, takes none because compaction is behind, cannot be read,
// or the disk has little room left.
#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kRarity = 300;  // steps between two changes, about

class Store final : public Fault {
 public:
  void Step(Hands& hands) override {
    if (!hands.prng.OneIn(kRarity)) return;
    Heal(hands);
    Trouble& trouble = hands.trouble;
    switch (hands.prng.Below(8)) {
      case 0:
        trouble.store_refuses = Code::kIo;
        break;
      case 1:
        trouble.store_refuses = Code::kNoSpace;
        break;
      case 2:
        trouble.store_stalls = true;
        break;
      case 3:
        trouble.reads_fail = true;
        break;
      case 4:
        trouble.disk_low = true;
        break;
      default:
        break;
    }
    hands.scene.Note("fault: the store refuses {}, stalls {}, reads fail {}, the disk is low {}",
                     trouble.store_refuses.has_value(), trouble.store_stalls, trouble.reads_fail,
                     trouble.disk_low);
  }
  void Heal(Hands& hands) override {
    hands.trouble.store_refuses.reset();
    hands.trouble.store_stalls = hands.trouble.reads_fail = hands.trouble.disk_low = false;
  }
};

}  // namespace

std::unique_ptr<Fault> MakeStore() {
  return std::make_unique<Store>();
}

}  // namespace sluice::sim
