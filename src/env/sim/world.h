// A simulated machine: clock, disk and entropy from one seed.
#pragma once

#include <cstdint>

#include "env/env.h"
#include "env/sim/clock.h"
#include "env/sim/entropy.h"
#include "env/sim/file_system.h"

namespace sluice::env {

struct SimWorld {
  static constexpr uint64_t kStartMs = 1'700'000'000'000;

  explicit SimWorld(uint64_t seed) : clock(kStartMs), files(seed), entropy(~seed) {}

  Env env() { return {clock, files, entropy}; }

  SimClock clock;
  SimFileSystem files;
  SimEntropy entropy;
};

}  // namespace sluice::env
