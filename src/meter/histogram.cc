#include "meter/histogram.h"

#include <cmath>

namespace sluice::meter {

void Distribution::Merge(const Distribution& other) {
  for (size_t i = 0; i < kCells; ++i) cells[i] += other.cells[i];
  count += other.count;
  sum += other.sum;
  max = std::max(max, other.max);
}

uint64_t Distribution::Quantile(double q) const {
  if (count == 0) return 0;
  const auto rank = std::max<uint64_t>(1, std::ceil(q * static_cast<double>(count)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kCells; ++i) {
    seen += cells[i];
    // The last cell has no end, and no cell's end is above the greatest value.
    if (seen >= rank) return i + 1 == kCells ? max : std::min(CellEnd(i), max);
  }
  return max;
}

uint64_t Distribution::CountBelowPowerOf2(int bits) const {
  uint64_t below = 0;
  for (size_t i = 0; i < CellOf(uint64_t{1} << bits); ++i) below += cells[i];
  return below;
}

Distribution HistogramCell::Read() const {
  Distribution read;
  for (size_t i = 0; i < kCells; ++i) {
    read.cells[i] = cells_[i].load(std::memory_order_relaxed);
    read.count += read.cells[i];
  }
  read.sum = sum_.load(std::memory_order_relaxed);
  read.max = max_.load(std::memory_order_relaxed);
  return read;
}

}  // namespace sluice::meter
