// What the kernel says that this process uses.
//
// Threads:  any.
#pragma once

#include <string>

#include "server/context.h"

namespace sluice::app {

server::ProcessUse CurrentUse();
std::string ExecutablePath();

}  // namespace sluice::app
