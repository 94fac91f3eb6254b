// What single settings cannot say: templates and specs taken apart, counts filled in, and all that
// must hold between settings.
#pragma once

#include "config/config.h"
#include "config/problems.h"

namespace sluice::config {

// Completes what Read left as written. Every impossible combination goes to `problems`.
void Resolve(Config& config, Problems& problems);

}  // namespace sluice::config
