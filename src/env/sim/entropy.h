// Random bits that are the same for the same seed.
#pragma once

#include <cstdint>

#include "base/prng.h"
#include "env/env.h"

namespace sluice::env {

class SimEntropy final : public Entropy {
 public:
  explicit SimEntropy(uint64_t seed) : prng_(seed) {}

  uint64_t Next() override { return prng_(); }

 private:
  Prng prng_;
};

}  // namespace sluice::env
