// What sweeps over every step of a whole node share.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "sim/scenario.h"
#include "sim/workload.h"

namespace sluice::sim {

// AddressSanitizer takes ten times as long for each step.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr uint64_t kThinner = 4;
#else
inline constexpr uint64_t kThinner = 1;
#endif

inline bool Long() {
  return std::getenv("SLUICE_LONG") != nullptr;
}

// So many of a sweep.
inline uint64_t Rounds(uint64_t everyday, uint64_t of_long) {
  return Long() ? of_long : (everyday + kThinner - 1) / kThinner;
}

// A short script of everything that is not FLUSHALL, without faults of its own.
inline Scenario ScriptOfAll(uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  for (const WorkloadKind& kind : AllWorkloads()) {
    if (!kind.alone && !kind.sheds) scenario.workloads.push_back(&kind);
  }
  return scenario;
}

}  // namespace sluice::sim
