// What CONFIG GET shows of a configuration that does not change while running.
#pragma once

#include <vector>

#include "config/config.h"
#include "server/context.h"

namespace sluice::server {

// Names that tools of Redis ask for, with what they mean here, and each of Sluice's own settings as
// section.key. Passwords are not among them. By name.
std::vector<ConfigItem> ConfigItems(const config::Config& config);

}  // namespace sluice::server
