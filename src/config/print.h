// A resolved configuration as TOML, every default included: what `sluice check` prints.
#pragma once

#include <string>

#include "config/config.h"
#include "config/settings.h"

namespace sluice::config {

// Loading the text again gives the same configuration. Comments say what each keyspace's tokens
// are made of.
std::string ToToml(const Config& config);

// One setting's value as TOML; empty when there is nothing to say.
std::string ValueOf(const Setting<ServerConfig>& setting, const ServerConfig& from);
std::string ValueOf(const Setting<LogConfig>& setting, const LogConfig& from);
std::string ValueOf(const Setting<RebalanceConfig>& setting, const RebalanceConfig& from);
std::string ValueOf(const Setting<KeyspaceConfig>& setting, const KeyspaceConfig& from);
// Without the password that `to` may hold.
std::string ValueOf(const Setting<ProjectionConfig>& setting, const ProjectionConfig& from);

}  // namespace sluice::config
