// What a keyspace's hot_key, priority, limits and capacity mean.
#pragma once

#include "config/config.h"
#include "config/problems.h"

namespace sluice::config {

// Requires: the template is resolved; without one (a mistake was found) there are no segments.
void ResolveLimits(KeyspaceConfig& keyspace, Problems& problems);

}  // namespace sluice::config
