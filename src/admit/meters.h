// What limits count, for one keyspace.
#pragma once

#include <array>
#include <atomic>

#include "meter/meter.h"

namespace sluice::admit {

// The narrowest first. Each is named like its setting.
enum class Limit : uint8_t { kSegment, kClient, kAll };
inline constexpr meter::Label<Limit, 3> kLimitNames{"reason",
                                                    {"limit_by", "client_limit", "limit"}};

inline std::string_view NameOf(Limit limit) {
  return kLimitNames.values[static_cast<size_t>(limit)];
}

// Counted by all lanes.
class Meters : public meter::Set {
 public:
  Meters() {
    for (size_t i = 0; i < kLimitNames.kSize; ++i) {
      Show(i, refused_[i], "sluice_admit_refused_total", "Writes that a limit refused.");
      Show(i, observed_[i], "sluice_admit_observed_total",
           "Writes that a limit would have refused, with limit_mode = observe.");
    }
  }

  void Refused(Limit limit, uint64_t writes) { Add(refused_[static_cast<size_t>(limit)], writes); }
  void Observed(Limit limit, uint64_t writes) {
    Add(observed_[static_cast<size_t>(limit)], writes);
  }
  uint64_t refused(Limit limit) const { return refused_[static_cast<size_t>(limit)].load(); }
  uint64_t observed(Limit limit) const { return observed_[static_cast<size_t>(limit)].load(); }

 private:
  using Counter = std::atomic<uint64_t>;
  static void Add(Counter& counter, uint64_t n) { counter.fetch_add(n, std::memory_order_relaxed); }
  void Show(size_t limit, const Counter& counter, std::string_view name, std::string_view help) {
    Declare({name, help, meter::Kind::kCounter, {}, kLimitNames.name, kLimitNames.values[limit]},
            [&counter] { return static_cast<double>(counter.load(std::memory_order_relaxed)); });
  }

  std::array<Counter, kLimitNames.kSize> refused_{}, observed_{};
};

}  // namespace sluice::admit
