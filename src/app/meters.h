// Meters: what every room of a node counts, put together for /metrics and INFO.
//
// Borrows:  the rooms' meters, which outlive it.
// Threads:  made by one; read by any.
#pragma once

#include <memory>
#include <vector>

#include "app/node_process.h"
#include "meter/registry.h"
#include "server/lane_server.h"
#include "server/overload.h"

namespace sluice::app {

class Meters {
 public:
  Meters(NodeProcess& node, const std::vector<std::unique_ptr<server::LaneServer>>& lanes,
         const server::Overload& overload, meter::Registry& registry);

 private:
  // What is asked of others when somebody looks.
  struct Readings : meter::Set {
    explicit Readings(NodeProcess& node);
    std::vector<meter::Reading> all;
  };
  Readings readings_;
};

}  // namespace sluice::app
