// The machine's clocks.
#pragma once

#include <cstdint>

#include "env/env.h"

namespace sluice::env {

class LinuxClock final : public Clock {
 public:
  uint64_t WallMs() override;
  uint64_t MonotonicUs() override;
};

// Time of a core that the calling thread has used.
uint64_t ThreadCpuUs();

}  // namespace sluice::env
