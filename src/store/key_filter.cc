#include "store/key_filter.h"

#include <algorithm>
#include <atomic>
#include <limits>

namespace sluice::store {
namespace {

constexpr int kBits = 6;       // that a key sets; good for 8 to 12 bits per key
constexpr int kBitOfLine = 9;  // bits that name one of a line's 512

uint64_t Spread(uint32_t hash) {
  uint64_t spread = (hash + 1) * 0x9e3779b97f4a7c15u;
  spread ^= spread >> 32;
  return spread * 0xbf58476d1ce4e5b9u;
}

// The upper half chooses the line; here the lower one counts as well.
uint64_t BitsOf(uint64_t spread) {
  return (spread ^ spread >> 29) * 0x94d049bb133111ebu;
}

}  // namespace

KeyFilter::KeyFilter(uint64_t bytes)
    : lines_(std::min<uint64_t>(bytes / (kLineWords * sizeof(uint64_t)),
                                std::numeric_limits<uint32_t>::max())),
      words_(lines_ * kLineWords * sizeof(uint64_t)) {}

uint64_t* KeyFilter::LineOf(uint64_t spread) const {
  return reinterpret_cast<uint64_t*>(words_.data()) + ((spread >> 32) * lines_ >> 32) * kLineWords;
}

void KeyFilter::Prefetch(uint32_t hash) const {
  if (lines_ != 0) __builtin_prefetch(LineOf(Spread(hash)));
}

bool KeyFilter::MayHold(uint32_t hash) const {
  if (lines_ == 0) return true;
  const uint64_t spread = Spread(hash);
  uint64_t* const line = LineOf(spread);
  uint64_t bits = BitsOf(spread);
  for (int i = 0; i < kBits; ++i, bits <<= kBitOfLine) {
    const uint64_t bit = bits >> (64 - kBitOfLine);
    const std::atomic_ref<uint64_t> word(line[bit / 64]);
    if ((word.load(std::memory_order_relaxed) >> bit % 64 & 1) == 0) return false;
  }
  return true;
}

void KeyFilter::Add(uint32_t hash) {
  if (lines_ == 0) return;
  const uint64_t spread = Spread(hash);
  uint64_t* const line = LineOf(spread);
  uint64_t bits = BitsOf(spread);
  for (int i = 0; i < kBits; ++i, bits <<= kBitOfLine) {
    const uint64_t bit = bits >> (64 - kBitOfLine);
    const std::atomic_ref<uint64_t> word(line[bit / 64]);
    const uint64_t mask = uint64_t{1} << bit % 64;
    if ((word.load(std::memory_order_relaxed) & mask) == 0) {
      word.fetch_or(mask, std::memory_order_relaxed);
    }
  }
}

}  // namespace sluice::store
