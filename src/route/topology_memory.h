// MemoryTopology: a topology that lives as long as the object. For tests and simulation.
#pragma once

#include <mutex>
#include <string>

#include "route/topology.h"

namespace sluice::route {

class MemoryTopology final : public Topology {
 public:
  Result<TopologyContent> Load() override;
  Status CompareAndSwap(uint64_t expected, const TopologyContent& content) override;

 private:
  std::mutex mutex_;
  TopologyContent content_;
};

}  // namespace sluice::route
