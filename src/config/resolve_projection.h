// What the settings of projections mean together, and what the log keeps for them.
#pragma once

#include "config/config.h"
#include "config/problems.h"

namespace sluice::config {

// Requires: the keyspaces are resolved. Every impossible combination goes to `problems`.
void ResolveProjections(Config& config, Problems& problems);
void ResolveKeep(LogConfig& log, Problems& problems);

}  // namespace sluice::config
