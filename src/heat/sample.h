// Sample: one write out of several, as it is told to those who learn where the load lies.
#pragma once

#include <cstddef>
#include <string>

#include "model/ids.h"

namespace sluice::heat {

inline constexpr size_t kTokenBytesKept = 256;
inline constexpr size_t kSampleKeyBytesKept = 64;

struct Sample {
  model::KeyspaceId keyspace;
  double weight = 0;  // writes that it stands for
  std::string token;  // its first kTokenBytesKept bytes
  std::string key;    // its first kSampleKeyBytesKept bytes
};

}  // namespace sluice::heat
