// The bytes of a stored topology.
//
// Format:   docs/formats/topology.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "route/topology.h"

namespace sluice::route {

inline constexpr uint32_t kTopologyFormat = 2;
inline constexpr uint32_t kTopologyFormatOldest = 1;   // that is still read
inline constexpr size_t kTopologyBytesMax = 64 << 20;  // a larger one is neither written nor read

// Requires: the content holds a map.
std::string EncodeTopology(const TopologyContent& content);

// Decodes and checks all: a content that comes out is one that can be served.
//   kInvalid  it is of a newer format.
//   kCorrupt  its bytes fail their checksum, or do not make sense.
Result<TopologyContent> DecodeTopology(std::string_view bytes);

}  // namespace sluice::route
