// What the kernel says that this process uses, and may.
//
// Threads:  any.
#pragma once

#include <string>

#include "server/context.h"

namespace sluice::app {

server::ProcessUse CurrentUse();
server::Allocator TheAllocator();
std::string ExecutablePath();
// Raises the number of files this process may have open to the most it may; returns that.
uint64_t RaiseFileLimit();

}  // namespace sluice::app
