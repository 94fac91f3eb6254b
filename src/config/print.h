// A resolved configuration as TOML, every default included: what `sluice check` prints.
#pragma once

#include <string>

#include "config/config.h"

namespace sluice::config {

// Loading the text again gives the same configuration. Comments say what each keyspace's tokens
// are made of.
std::string ToToml(const Config& config);

}  // namespace sluice::config
