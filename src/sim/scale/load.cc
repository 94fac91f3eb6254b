#include "sim/scale/load.h"

#include <algorithm>
#include <cmath>

namespace sluice::sim::scale {
namespace {

constexpr int kHalvings = 40;                      // of a range, to find where its load is halved
constexpr double kNextKey = 1e-12;                 // from one key to the next
constexpr double kTokens = 9'007'199'254'740'992;  // 2^53
constexpr size_t kNumberBytes = 2, kTokenBytes = 8;

double Overlap(const Band& band, double from, double to) {
  const double inside = std::min(to, band.to) - std::max(from, band.from);
  return inside > 0 ? band.writes * inside / (band.to - band.from) : 0;
}

}  // namespace

double Space::Writes(double from, double to) const {
  double writes = 0;
  for (const Band& each : bands) writes += Overlap(each, from, to);
  for (const Spike& each : spikes) writes += each.at >= from && each.at < to ? each.writes : 0;
  return writes;
}

std::optional<rebalance::LoadCut> Space::Cut(double from, double to) const {
  const double all = Writes(from, to);
  if (all <= 0) return std::nullopt;
  double low = from, high = to;  // the least place below which is half or more lies within
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (Writes(from, middle) < all / 2 ? low : high) = middle;
  }
  // A key there falls on the one side or the other.
  std::optional<rebalance::LoadCut> best;
  for (const double at : {low - kNextKey, high + kNextKey}) {
    if (at <= from || at >= to) continue;
    const double below = Writes(from, at) / all;
    if (!best || std::min(below, 1 - below) > std::min(best->below, 1 - best->below)) {
      best = rebalance::LoadCut{Token(at), below};
    }
  }
  return best;
}

std::optional<rebalance::SurveyedHotKey> Space::Hottest(double from, double to) const {
  std::optional<rebalance::SurveyedHotKey> hottest;
  const double all = Writes(from, to);
  for (const Spike& each : spikes) {
    if (each.at < from || each.at >= to || all <= 0) continue;
    const double share = each.writes / all;
    if (!hottest || share > hottest->share) hottest = rebalance::SurveyedHotKey{each.key, share};
  }
  return hottest;
}

double Space::Rising(double from, double to) const {
  const double all = Writes(from, to);
  return all > 0 && seen < to ? Writes(std::max(from, seen), to) / all : 0;
}

std::string Space::Token(double at) const {
  std::string token = {static_cast<char>(number >> 8), static_cast<char>(number & 255)};
  const auto value = static_cast<uint64_t>(at * kTokens);
  for (size_t i = kTokenBytes; i-- > 0;) token += static_cast<char>(value >> (8 * i) & 255);
  return token;
}

double Space::At(const std::string& token) {
  uint64_t value = 0;
  for (size_t i = kNumberBytes; i < token.size(); ++i) {
    value = value << 8 | static_cast<unsigned char>(token[i]);
  }
  return static_cast<double>(value) / kTokens;
}

}  // namespace sluice::sim::scale
