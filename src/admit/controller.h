// Controller: decides how much each class of work may do, from how close the node is to its bounds.
//
//   Step()  takes what was measured since the last step, and says what is allowed until the next.
//
// Every cause of trouble is read as a pressure: 0 is no load, 1 is where waiting is as long, or a
// buffer as full, as it should be, 2 is the bound. Below kCalm nobody is held back. Above it, the
// node's writes together get a rate: what the node was carrying, times a factor that falls with the
// pressure and is 1 at pressure 1. So a queue settles where it should stand, whatever the machine
// carries: there is no rate to configure. What was carried is only a first guess; while writes wait
// and the pressure is not 1, the guess is corrected.
//
// From that rate critical writes take what they want, normal ones what is left, then low ones, then
// the background, each with a small share that those before it cannot take. At the bound only
// critical writes go on; the bounds themselves are kept by the lanes (ingest::Lane::Crowded).
//
// Threads:  none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/keyspace.h"

namespace sluice::admit {

inline constexpr uint64_t kStepUs = 10'000;
inline constexpr double kCalm = 0.5;   // pressure below which everybody takes what they want
inline constexpr double kBound = 2.0;  // pressure at which only critical writes go on
inline constexpr size_t kPriorities = 4;

// What may be behind. Names as in `reason=`.
enum class Cause : uint8_t {
  kLog,         // records wait to be durable
  kBuffers,     // write buffers wait for the store
  kStore,       // compaction is behind
  kProjection,  // the log cannot be trimmed, and its projection may block the writers
};
inline constexpr size_t kCauses = 4;
std::string_view NameOf(Cause cause);

using Pressures = std::array<double, kCauses>;  // by Cause
template <class T>
using ByPriority = std::array<T, kPriorities>;

// Of the time since the last step.
struct Seen {
  Pressures pressures{};
  ByPriority<uint64_t> used{};  // write units that ran
  ByPriority<bool> waits{};     // writes wait for units
  double delay = 0;             // pressure of the lanes' delay: counts for the background only
};

struct Allowed {
  bool limited = false;        // false: everybody takes what they want
  ByPriority<double> units{};  // until the next step; of critical writes: not limited
  double background = 1;       // share of its time that work in the background may use
  Cause cause = Cause::kLog;   // what is closest to its bound
  double pressure = 0;
};

class Controller {
 public:
  // Requires: time does not step back. A long time since the last step counts as kLongUs.
  const Allowed& Step(uint64_t now_us, const Seen& seen);
  const Allowed& allowed() const { return allowed_; }

 private:
  static constexpr uint64_t kLongUs = 200'000;

  void Watch(double seconds, const Seen& seen);
  void Correct(double seconds, const Seen& seen);
  void Share(double seconds, double rate, const ByPriority<bool>& waits);

  Allowed allowed_;
  uint64_t last_us_ = 0;
  ByPriority<double> rates_{};  // units a second, of late
  double carried_ = 0;          // of all, of late
  double peak_ = 0;             // the most of that, fading
  double base_ = 0;             // what the node is taken to carry at pressure 1
};

}  // namespace sluice::admit
