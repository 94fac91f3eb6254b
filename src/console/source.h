// What the console shows, as its owner sees it.
//
// Threads:  every function is called from the console's threads, at any time between the server's
//           start and stop, and must not block a lane (nor wait for one).
// Failure:  kUnavailable is shown as 503, kNotFound as 404, kInvalid as 400, everything else as
//           500, each with the message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace sluice::console {

struct Readiness {
  bool ready = false;
  std::string reason;  // when not ready: why, and how far; one line
};

// Which part of a keyspace's heat history. What is not said is the source's to choose.
struct HeatmapQuery {
  std::string keyspace, resolution;
  std::optional<uint64_t> from_s, to_s;  // since 1970
  std::optional<uint64_t> buckets;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual Readiness Ready() = 0;
  // The text format of Prometheus.
  virtual std::string MetricsText() = 0;
  // JSON objects. Secrets do not belong into the configuration's.
  virtual Result<std::string> ShardsJson() = 0;
  virtual Result<std::string> KeyspacesJson() = 0;
  virtual Result<std::string> HotKeysJson() = 0;
  //   kNotFound  no keyspace of that name.   kInvalid  no such resolution, or no buckets.
  virtual Result<std::string> HeatmapJson(const HeatmapQuery& query) = 0;
  virtual Result<std::string> JobsJson() = 0;
  virtual Result<std::string> SamplesJson() = 0;
  virtual Result<std::string> ProjectionsJson() = 0;
  virtual Result<std::string> ConfigJson() = 0;
};

}  // namespace sluice::console
