// The node's projections, as commands see them.
//
// Threads:  any.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "project/projector.h"

namespace sluice::server {

inline constexpr size_t kProjectionWaitsMax = 10'000;  // at once; one more is refused
inline constexpr size_t kProjectionOrdersMax = 100;    // of PAUSE and RESUME; the same

class Projections {
 public:
  virtual ~Projections() = default;
  // In the order of the configuration.
  virtual const std::vector<project::Projector*>& All() const = 0;
  // Calls `then` on some thread: with true once all records up to `lsn` are in the sink or not of
  // its keyspace, with false when `timeout_ms` passed first (0: never).
  //   kUnavailable  kProjectionWaitsMax wait already, or the node stops; `then` is not called
  virtual Status Wait(const project::Projector& projector, model::Lsn lsn, uint64_t timeout_ms,
                      std::function<void(bool)> then) = 0;
  // It stops, or goes on, at once; calls `then` on some thread when a restart will not change that.
  // An error: it will.
  //   kUnavailable  kProjectionOrdersMax wait already, or the node stops: nothing was changed
  virtual Status SetPaused(project::Projector& projector, bool paused,
                           std::function<void(const Status&)> then) = 0;
};

}  // namespace sluice::server
