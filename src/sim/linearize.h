// Linearize: can what clients saw of one key be explained by one order of their commands, in which
// each takes effect at one moment between its begin and its end?
//
// The key holds an integer or nothing: registers and counters, alone or mixed. Several keys that
// are only ever written and read together count as one.
//
// A command without a reply may have taken effect, at the latest at its `end`, or never. Commands
// of one session (a connection's life) take effect in the order in which they were sent; with
// `lost_is_suffix`, none takes effect behind one that was lost.
//
// Method: Wing and Gong's search with Lowe's just-in-time order: along the history, keep every
// state that is possible, and let a command take effect no earlier than something asks for it.
//
// Bounds:   kOpenMax commands open at once; kStatesMax states possible at once. A history beyond
//           them is not decided, and says so as if it were broken.
// Threads:  none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::sim {

struct Operation {
  // What it does to a value v (none: no key), and what its reply says.
  enum class Kind : uint8_t {
    kRead,           // v
    kWrite,          // v becomes `argument`
    kAdd,            // v, or 0, plus `argument`: the new value
    kWriteIfAbsent,  // 1 if it wrote, else 0
    kSwap,           // v becomes `argument`: the old value
    kRemove,         // 1 if there was one, else 0
    kClear           // the same, and its reply says nothing
  };
  Kind kind = Kind::kRead;
  int64_t argument = 0;
  bool answered = false;
  std::optional<int64_t> reply;  // none: nil. Counts if answered; not of kWrite and kClear
  uint64_t session = 0;
  uint64_t begin = 0, end = 0;  // any clock that never steps back; begin < end
};

inline constexpr size_t kOpenMax = 64;
inline constexpr size_t kStatesMax = 1 << 20;

struct LinearizeRules {
  std::optional<int64_t> initial;  // the value when the history begins
  bool lost_is_suffix = true;
};

// Nothing if there is such an order; else what could not be explained.
std::optional<std::string> Linearize(const std::vector<Operation>& history,
                                     const LinearizeRules& rules);

// The operation in words.
std::string Describe(const Operation& operation);

}  // namespace sluice::sim
