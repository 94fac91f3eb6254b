#include "heat/latencies.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace sluice::heat {

// Bucket 4 n + q holds times in (2^n + q 2^(n-2), 2^n + (q + 1) 2^(n-2)] us, bucket 0 all up to 1.
size_t Latencies::BucketOf(uint64_t us) {
  if (us <= 1) return 0;
  const uint64_t below = us - 1;
  const auto octave = static_cast<size_t>(std::bit_width(below) - 1);
  const uint64_t quarter = ((below << 2) >> octave) & 3;
  return std::min(octave * 4 + quarter, kBuckets - 1);
}

uint64_t Latencies::UpperUs(size_t bucket) {
  const size_t octave = bucket / 4, quarter = bucket % 4;
  return (((uint64_t{1} << (octave + 2)) + ((quarter + 1) << octave)) + 3) >> 2;
}

std::optional<uint64_t> Latencies::Percentile(double part) const {
  const double all = std::accumulate(counts_.begin(), counts_.end(), 0.0);
  if (all == 0) return std::nullopt;
  double seen = 0;
  size_t last = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] == 0) continue;
    last = i;
    seen += counts_[i];
    if (seen >= part * all) break;
  }
  return last == 0 ? 1 : UpperUs(last);
}

}  // namespace sluice::heat
