// How values are distributed, in fixed memory: log-linear cells, 32 to each power of two.
//
// A value below 64 has a cell of its own; above, a cell is at most 1/32 of its values wide, so a
// quantile is at most 3.2 % too high. Values from 2^36 on (19 hours in microseconds, 64 GiB) are
// counted in the last cell.
//
// Threads:  Record from one; Read from any, at any time. A Read sees every Record of long ago and
//           perhaps half of one that runs just now.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::meter {

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

inline constexpr int kCellBits = 5;
inline constexpr int kValueBits = 36;
inline constexpr size_t kCells = size_t{kValueBits - kCellBits + 1} << kCellBits;
inline constexpr uint64_t kValueMax = (uint64_t{1} << kValueBits) - 1;

// The cell that counts `value`, and the greatest value that a cell counts.
constexpr size_t CellOf(uint64_t value) {
  value = std::min(value, kValueMax);
  const int shift = std::max(0, static_cast<int>(std::bit_width(value | 1)) - 1 - kCellBits);
  return (static_cast<size_t>(shift) << kCellBits) + (value >> shift);
}
constexpr uint64_t CellEnd(size_t cell) {
  const size_t row = cell >> kCellBits;
  const int shift = row == 0 ? 0 : static_cast<int>(row - 1);
  const uint64_t first = (cell - (static_cast<size_t>(shift) << kCellBits)) << shift;
  return first + (uint64_t{1} << shift) - 1;
}

// What a histogram held when it was read; of several histograms, after Merge.
struct Distribution {
  std::vector<uint64_t> cells = std::vector<uint64_t>(kCells);
  uint64_t count = 0;
  uint64_t sum = 0;
  uint64_t max = 0;

  void Merge(const Distribution& other);
  // The value that a share `q` of all values does not exceed, rounded up to the end of its cell;
  // 0 when there are none. Requires: 0 <= q <= 1.
  uint64_t Quantile(double q) const;
  double Mean() const { return count == 0 ? 0 : static_cast<double>(sum) / count; }
  // How many values are below 2^`bits`. Requires: bits < kValueBits.
  uint64_t CountBelowPowerOf2(int bits) const;
};

// The cells alone; rooms declare a Histogram (meter.h).
class HistogramCell {
 public:
  static constexpr Kind kKind = Kind::kHistogram;
  void Record(uint64_t value) {
    Bump(cells_[CellOf(value)], 1);
    Bump(sum_, value);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }
  Distribution Read() const;

 private:
  // One writer: a load and a store will do, and cost no lock prefix.
  static void Bump(std::atomic<uint64_t>& cell, uint64_t by) {
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> max_{0};
  std::array<std::atomic<uint64_t>, kCells> cells_{};
};

}  // namespace sluice::meter
