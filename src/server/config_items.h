// What CONFIG GET shows of a configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace sluice::server {

// One row of CONFIG GET.
struct ConfigItem {
  std::string name, value;
  // Why CONFIG SET refuses it; empty: it takes it.
  std::string_view refusal;
};

// Names that tools of Redis ask for, with what they mean here, and each of Sluice's own settings as
// section.key. Passwords are not among them. By name.
std::vector<ConfigItem> ConfigItems(const config::Config& config);

}  // namespace sluice::server
