// The page at "/": whether the server is ready, and its shards, read anew every two seconds.
#pragma once

#include <string_view>

namespace sluice::console {

extern const std::string_view kStatusPage;

}  // namespace sluice::console
