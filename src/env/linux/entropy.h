// Random bits from the kernel.
#pragma once

#include <cstdint>

#include "env/env.h"

namespace sluice::env {

class LinuxEntropy final : public Entropy {
 public:
  uint64_t Next() override;
};

}  // namespace sluice::env
