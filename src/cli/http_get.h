// HttpGet: one page of a running node's HTTP interface.
//
// Threads:  none.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/client.h"

namespace sluice::cli {

inline constexpr uint16_t kHttpPort = 7380;
inline constexpr size_t kPageBytesMax = 64 << 20;

// The body of a GET, as the user of `address` if it names one.
//   kIo       nobody answers there, not within `timeout_ms`, or not in HTTP.
//   kInvalid  the node answers with another status than 200; the message is what it said.
Result<std::string> HttpGet(const Address& address, std::string_view target, env::Clock& clock,
                            int timeout_ms);

}  // namespace sluice::cli
