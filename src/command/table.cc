// The one table, and the way from a name to its entry.
#include <array>
#include <cstring>

#include "base/check.h"
#include "command/families.h"

namespace sluice::command {
namespace {

constexpr size_t kNameMax = 16;     // bytes of the longest name
constexpr size_t kSlots = 1 << 10;  // at most a fifth of them used: a chain is short

// A name of at most 16 letters in lower case, as two numbers.
struct Packed {
  uint64_t low = 0, high = 0;

  bool operator==(const Packed&) const = default;
  size_t Slot() const {
    uint64_t mixed = (low ^ (high * 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
    mixed ^= mixed >> 32;
    return mixed % kSlots;
  }
};

// Setting bit 5 makes capitals small. Of all bytes only a letter becomes that letter by it, so two
// packed names are equal exactly when the names are, in any case.
Packed Pack(std::string_view name) {
  char bytes[kNameMax] = {};
  std::memcpy(bytes, name.data(), name.size());
  Packed packed;
  std::memcpy(&packed.low, bytes, sizeof packed.low);
  std::memcpy(&packed.high, bytes + 8, sizeof packed.high);
  constexpr uint64_t kBit5 = 0x2020202020202020;
  packed.low |= kBit5;
  packed.high |= kBit5;
  return packed;
}

class Table {
 public:
  Table() {
    for (const auto family :
         {StringCommands(), RangeCommands(), CounterCommands(), KeyCommands(), HashCommands(),
          HashWalkCommands(), MultiCommands(), SessionCommands(), LaterCommands()}) {
      specs_.insert(specs_.end(), family.begin(), family.end());
    }
    for (const Spec& spec : specs_) {
      SLUICE_CHECK(spec.name.size() <= kNameMax && Find(spec.name) == nullptr);
      const Packed packed = Pack(spec.name);
      size_t slot = packed.Slot();
      while (slots_[slot].spec != nullptr) slot = (slot + 1) % kSlots;
      slots_[slot] = {packed, &spec};
    }
  }

  std::span<const Spec> specs() const { return specs_; }

  const Spec* Find(std::string_view name) const {
    if (name.size() > kNameMax) return nullptr;
    const Packed packed = Pack(name);
    for (size_t slot = packed.Slot(); slots_[slot].spec != nullptr; slot = (slot + 1) % kSlots) {
      // The size tells a name from the same one followed by blanks, which bit 5 cannot.
      if (slots_[slot].packed == packed && slots_[slot].spec->name.size() == name.size()) {
        return slots_[slot].spec;
      }
    }
    return nullptr;
  }

 private:
  struct Slot {
    Packed packed;
    const Spec* spec = nullptr;
  };

  std::vector<Spec> specs_;
  std::array<Slot, kSlots> slots_;
};

const Table& TheTable() {
  static const Table table;
  return table;
}

}  // namespace

std::span<const Spec> AllCommands() {
  return TheTable().specs();
}

const Spec* FindCommand(std::string_view name) {
  return TheTable().Find(name);
}

}  // namespace sluice::command
