// Scenario: what one simulated run is made of. A seed draws it; workloads and faults may be named
// instead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "sim/fault.h"
#include "sim/machine.h"
#include "sim/workload.h"

namespace sluice::sim {

struct Scenario {
  uint64_t seed = 1;
  std::vector<const WorkloadKind*> workloads;
  std::vector<const FaultKind*> faults;
  size_t clients = 4;
  size_t lives = 4;            // of the machine, or stretches of one life, each perhaps checked
  uint64_t life_steps = 1000;  // of the machine, at most
  bool errand = false;         // of jobs (sim/errand.h); the first two lives go on until it is over
  // What a test does not leave to the seed.
  std::optional<size_t> lanes, buffer_bytes;

  std::string Describe() const;
};

// What the caller chose; empty: the seed chooses.
struct Choice {
  std::vector<const WorkloadKind*> workloads;
  std::vector<const FaultKind*> faults;
};

Scenario DrawScenario(uint64_t seed, const Choice& choice);

// Settings for a start: hostile ones, mostly (the `rough` values of the table of settings, and as
// hostile a division of memory). `keyspaces` stands in the configuration as it is.
MachineOptions DrawOptions(const std::string& keyspaces, Prng& prng);

}  // namespace sluice::sim
