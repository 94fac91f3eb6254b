// `sluice check FILE`: validates a configuration and prints it resolved.
#pragma once

#include <iosfwd>
#include <string>

namespace sluice::cli {

// Returns the exit status. 0: the configuration with every default, as TOML, is on `out`. 2: it
// cannot be read, or is wrong; every mistake is on `err`, one a line.
int Check(const std::string& file, std::ostream& out, std::ostream& err);

}  // namespace sluice::cli
