#include "cli/bench_keys.h"

#include <algorithm>
#include <cmath>

namespace sluice::cli {

BenchKeys::BenchKeys(const BenchKeyShape& shape) : shape_(shape) {
  least_ = Area(1.5) - 1;
  most_ = Area(static_cast<double>(shape_.count) + 0.5);
  sure_ = 2 - AreaInverse(Area(2.5) - std::pow(2, -shape_.exponent));
}

uint64_t BenchKeys::Draw(Prng& prng) const {
  if (shape_.celebrities > 0 && prng.Below(100) < shape_.celebrity_percent) {
    return shape_.first + prng.Below(shape_.celebrities);
  }
  if (shape_.exponent == 0) return shape_.first + prng.Below(shape_.count);
  return shape_.first + Rank(prng) - 1;
}

double BenchKeys::Area(double x) const {
  if (shape_.exponent == 1) return std::log(x);
  return (std::pow(x, 1 - shape_.exponent) - 1) / (1 - shape_.exponent);
}

double BenchKeys::AreaInverse(double area) const {
  if (shape_.exponent == 1) return std::exp(area);
  return std::pow(1 + area * (1 - shape_.exponent), 1 / (1 - shape_.exponent));
}

// Rejection-inversion (Hörmann and Derflinger 1996): draws below the curve, which is near to the
// steps of the ranks, and rejects the little that lies between. No table, whatever the count.
uint64_t BenchKeys::Rank(Prng& prng) const {
  for (;;) {
    const double share = static_cast<double>(prng() >> 11) * 0x1p-53;
    const double area = most_ + share * (least_ - most_);
    const double x = AreaInverse(area);
    const double rank = std::clamp(std::round(x), 1.0, static_cast<double>(shape_.count));
    if (rank - x <= sure_ || area >= Area(rank + 0.5) - std::pow(rank, -shape_.exponent)) {
      return static_cast<uint64_t>(rank);
    }
  }
}

}  // namespace sluice::cli
