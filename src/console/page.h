// The console's page: its three files, which web/ builds and the program carries.
#pragma once

#include <string_view>

namespace sluice::console {

extern const std::string_view kPageHtml, kPageScript, kPageStyle;

}  // namespace sluice::console
