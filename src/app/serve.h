// `sluice serve`: the server from its command line to its exit status.
#pragma once

#include <string>
#include <vector>

namespace sluice::app {

struct ServeOptions {
  std::string config_file;  // empty: defaults
  std::string data = "data";
  std::string port, http_port;  // empty: as configured
  std::vector<std::string> set;
  bool text_log = false;
};

// 0: stopped in order. 1: the work failed (a log that failed, a port in use). 2: wrong
// configuration or directory. 3: damaged data.
int Serve(const ServeOptions& options);

}  // namespace sluice::app
