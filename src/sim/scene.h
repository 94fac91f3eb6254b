// Scene: what all parts of one simulated run share: the outside world, its time as lanes may know
// it, the verdict, and a trace of what happened.
//
// Threads:  one.
// Bounds:   as many notes are kept as the maker says, the last ones.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "env/sim/world.h"
#include "model/keyspace.h"
#include "project/memory_sink.h"

namespace sluice::sim {

class Scene {
 public:
  Scene(uint64_t seed, size_t notes) : world(seed), notes_(notes) {}

  env::SimWorld world;

  // What lies outside the node, by projection.
  std::map<std::string, std::shared_ptr<project::MemorySink::Medium>> sinks;

  // --- The verdict: the first promise that was seen broken. ---
  void Broken(std::string what) {
    if (broken_) return;
    broken_ = std::move(what);
    Note("BROKEN: {}", *broken_);
  }
  const std::optional<std::string>& broken() const { return broken_; }
  bool held() const { return !broken_.has_value(); }

  // --- The trace: kept only by a run that is to be read. A line begins with the calls to the disk
  // so far. ---
  template <class... Args>
  void Note(fmt::format_string<Args...> format, Args&&... args) {
    if (notes_ == 0) return;
    if (trace_.size() == notes_) trace_.pop_front();
    trace_.push_back(fmt::format("{:>8} ", world.files.steps()) +
                     fmt::format(format, std::forward<Args>(args)...));
  }
  const std::deque<std::string>& trace() const { return trace_; }

  // --- Time. ---
  uint64_t NextEvent() { return ++events_; }  // orders what clients send and hear
  // Looks at the clock. Once a step, since it may go back.
  void Observe() { wall_most_ms_ = std::max(wall_most_ms_, world.clock.WallMs()); }
  // No lane's log time lies beyond; each start takes it on by a millisecond at most. A call to the
  // disk takes its time within a step.
  uint64_t log_most_ms() {
    Observe();
    return wall_most_ms_ + starts + 1;
  }
  uint64_t starts = 0;
  uint64_t rings = 0;        // workloads of that kind, which may stand in a scenario more than once
  uint64_t clock_jumps = 0;  // of the wall clock
  uint64_t once_window_ms = 0;  // for how long a token is remembered, at least

  // Commands may be refused: of what a connection lost, later ones may be there without earlier
  // ones.
  bool refusals = false;

 private:
  const size_t notes_;
  std::optional<std::string> broken_;
  std::deque<std::string> trace_;
  uint64_t events_ = 0;
  uint64_t wall_most_ms_ = 0;
};

// What faults do to a running machine, beside its disk and clock.
struct Trouble {
  std::optional<Code> store_refuses;  // runs: kIo, kNoSpace
  bool store_stalls = false;
  bool disk_low = false;  // only what deletes is taken
  bool reads_fail = false;
  uint64_t disk_us = 0;           // that one call to the disk takes
  std::optional<size_t> starved;  // the actor that gets no turn
  model::Rate limit;              // of each keyspace, client and value
  bool reshapes = false;          // shards are split, merged and moved
};

}  // namespace sluice::sim
