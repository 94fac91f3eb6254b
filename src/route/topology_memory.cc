#include "route/topology_memory.h"

#include <fmt/format.h>

#include "base/check.h"

namespace sluice::route {

Result<TopologyContent> MemoryTopology::Load() {
  const std::lock_guard lock(mutex_);
  return content_;
}

Status MemoryTopology::CompareAndSwap(uint64_t expected, const TopologyContent& content) {
  SLUICE_CHECK(content.map != nullptr);
  const std::lock_guard lock(mutex_);
  if (content_.version != expected) {
    return Fail(Code::kConflict, fmt::format("the topology is at version {}, expected {}",
                                             content_.version, expected));
  }
  content_ = content;
  content_.version = expected + 1;
  return Ok();
}

}  // namespace sluice::route
