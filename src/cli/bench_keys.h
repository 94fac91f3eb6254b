// BenchKeys: which key each command of a bench gets.
//
// Even: all keys alike. Zipf: the key of rank r, counted from 1, is drawn in proportion to
// 1 / r^exponent. Celebrities: the first few keys share a part of the draws among them evenly, the
// rest of the draws is as without them.
//
// Threads:  none.
#pragma once

#include <cstdint>

#include "base/prng.h"

namespace sluice::cli {

struct BenchKeyShape {
  uint64_t first = 0;   // the least number
  uint64_t count = 0;   // of different keys; 0: as many as --keys says
  double exponent = 0;  // of Zipf; 0: even
  uint64_t celebrities = 0;
  uint64_t celebrity_percent = 0;  // of all draws
};

class BenchKeys {
 public:
  // Requires: count > 0, no more celebrities than keys.
  explicit BenchKeys(const BenchKeyShape& shape);

  const BenchKeyShape& shape() const { return shape_; }
  uint64_t Draw(Prng& prng) const;

 private:
  double Area(double x) const;  // below the curve x^-exponent, up to x
  double AreaInverse(double area) const;
  uint64_t Rank(Prng& prng) const;

  BenchKeyShape shape_;
  double least_ = 0, most_ = 0;  // areas between which ranks are drawn
  double sure_ = 0;              // a rank that is so little above what was drawn needs no look
};

}  // namespace sluice::cli
