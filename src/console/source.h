// What the console shows, as its owner sees it.
//
// Threads:  every function is called from the console's threads, at any time between the server's
//           start and stop, and must not block a lane (nor wait for one).
// Failure:  kUnavailable is shown as 503, everything else as 500, each with the message.
#pragma once

#include <string>

#include "base/status.h"

namespace sluice::console {

struct Readiness {
  bool ready = false;
  std::string reason;  // when not ready: why, and how far; one line
};

class Source {
 public:
  virtual ~Source() = default;
  virtual Readiness Ready() = 0;
  // The text format of Prometheus.
  virtual std::string MetricsText() = 0;
  // JSON objects. Of the shards: {"shards": [{…}, …], …}; the status page makes each member of a
  // shard a column. Secrets do not belong into the configuration's.
  virtual Result<std::string> ShardsJson() = 0;
  virtual Result<std::string> KeyspacesJson() = 0;
  virtual Result<std::string> ProjectionsJson() = 0;
  virtual Result<std::string> ConfigJson() = 0;
};

}  // namespace sluice::console
