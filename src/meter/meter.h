// Meters: what the rooms count and measure. A room declares its own, as members of a Set:
//
//   enum class Close : uint8_t { kBytes, kIdle };
//   inline constexpr meter::Label<Close, 2> kClose{"reason", {"bytes", "idle"}};
//
//   struct LogMeters : meter::Set {
//     meter::Counter written{*this, "sluice_log_written_bytes_total", "Bytes written.",
//                            {.unit = meter::Unit::kBytes}};
//     meter::Per<meter::Counter, kClose> closes{*this, "sluice_log_group_closes_total",
//                                               "Groups closed, by what closed them."};
//     meter::Histogram sync{*this, "sluice_log_sync_seconds", "Time of one sync.",
//                           {.unit = meter::Unit::kMicroseconds}};
//   };
//
//   meters.written.Add(4096);  meters.closes[Close::kIdle].Add();  meters.sync.Record(elapsed_us);
//
// Each thread that counts owns a Set of its own; the Registry is given all of them and adds them
// up. Names are sluice_<room>_<noun>_<unit>; a counter's ends in _total.
//
// Threads:  one writer per Set; any thread reads. Counting costs a load, an add and a store.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "meter/histogram.h"

namespace sluice::meter {

// What the numbers count. Microseconds are shown as seconds.
enum class Unit : uint8_t { kCount, kBytes, kMicroseconds };
// What the gauges of several threads make together.
enum class Merge : uint8_t { kSum, kMax };

struct Options {
  Unit unit = Unit::kCount;
  Merge merge = Merge::kSum;
};

// A label whose values stand for the enumerators of `EnumType`: all of them, in their order.
template <class EnumType, size_t N>
struct Label {
  using Enum = EnumType;
  static constexpr size_t kSize = N;
  std::string_view name;
  std::array<std::string_view, N> values;
};

class CounterCell {
 public:
  static constexpr Kind kKind = Kind::kCounter;
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class GaugeCell {
 public:
  static constexpr Kind kKind = Kind::kGauge;
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { Set(value() + n); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// What is asked for only when somebody looks. Called on the looking thread; must not block.
using ReadFunction = std::function<double()>;

struct Description {
  std::string_view name;
  std::string_view help;  // one sentence
  Kind kind = Kind::kCounter;
  Options options = {};
  std::string_view label = {};        // empty: none
  std::string_view label_value = {};  // this cell's
};

// What one thread counts. Aligned, so that no two threads write to one cache line.
class alignas(64) Set {
 public:
  using Cell =
      std::variant<const CounterCell*, const GaugeCell*, const HistogramCell*, ReadFunction>;
  struct Entry {
    Description description;
    Cell cell;
  };

  Set() = default;
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;

  // For the members' constructors. Texts are borrowed: literals. A name against the rules is a
  // defect and ends the process; whoever runs the program or a test of the room once sees it.
  void Declare(Description description, Cell cell);

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

template <class CellType>
class Declared : public CellType {
 public:
  using Cell = CellType;
  Declared(Set& set, std::string_view name, std::string_view help, Options options = {}) {
    set.Declare({name, help, CellType::kKind, options}, static_cast<const CellType*>(this));
  }
};

using Counter = Declared<CounterCell>;
using Gauge = Declared<GaugeCell>;
using Histogram = Declared<HistogramCell>;

// One meter for each enumerator of a label.
template <class Meter, const auto& kLabel>
class Per {
 public:
  using Enum = typename std::remove_cvref_t<decltype(kLabel)>::Enum;
  Per(Set& set, std::string_view name, std::string_view help, Options options = {}) {
    for (size_t i = 0; i < cells_.size(); ++i) {
      set.Declare({name, help, Meter::kKind, options, kLabel.name, kLabel.values[i]},
                  static_cast<const typename Meter::Cell*>(&cells_[i]));
    }
  }
  typename Meter::Cell& operator[](Enum value) { return cells_[static_cast<size_t>(value)]; }
  const typename Meter::Cell& operator[](Enum value) const {
    return cells_[static_cast<size_t>(value)];
  }

 private:
  std::array<typename Meter::Cell, std::remove_cvref_t<decltype(kLabel)>::kSize> cells_;
};

// A counter or gauge that lives elsewhere (RocksDB's, the kernel's) and is read when looked at.
class Reading {
 public:
  Reading(Set& set, Kind kind, std::string_view name, std::string_view help, ReadFunction read,
          Options options = {}) {
    set.Declare({name, help, kind, options}, std::move(read));
  }
};

}  // namespace sluice::meter
