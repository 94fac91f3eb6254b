// The controller and the budget in simulated time, in front of models of a node.
#include "admit/controller.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "admit/budget.h"
#include "admit/delay.h"

namespace sluice::admit {
namespace {

using model::Priority;

constexpr double kDt = static_cast<double>(kStepUs) / 1e6;

size_t At(Priority priority) {
  return static_cast<size_t>(priority);
}

// Open-loop clients, the budget, and one queue in front of something that works it off: the log, or
// write buffers in front of the store.
struct Model {
  double capacity = 50'000;      // units a second
  ByPriority<double> offered{};  // the same
  bool is_log = true;            // else what waits is read as a level
  Cause level = Cause::kBuffers;
  double level_units = 50'000;  // of a pressure of 1
  double queue_most = 500'000;  // units: what lanes do not pass (Crowded)
  double critical_held = 0;     // units that came and found the queue at its bound

  struct Class {
    std::deque<std::pair<double, uint64_t>> waits;  // units, since
    double waiting = 0;
  };
  ByPriority<Class> classes;
  ByPriority<double> ran{}, refused{}, came{};  // units, since the start
  ByPriority<uint64_t> used{};                  // of the last step
  double queue = 0, done = 0, longest_wait_s = 0;
  uint64_t now_us = 1'000'000;
  uint64_t limited_steps = 0;
  Delay delay;
  Controller controller;
  Budget budget;

  void Step() {
    now_us += kStepUs;
    Seen seen;
    seen.used = used;
    for (size_t i = 0; i < kPriorities; ++i) seen.waits[i] = classes[i].waiting >= 1;
    const double wait_s = capacity > 0 ? queue / capacity : stuck_s_;
    stuck_s_ = capacity > 0 ? 0 : stuck_s_ + kDt;
    delay.Sample(kStepUs, queue >= 1 ? static_cast<uint64_t>(wait_s * 1e6) : 0, 1'000);
    if (is_log) {
      seen.pressures[0] = std::max(delay.pressure(), kBound * queue / queue_most);
    } else {
      seen.pressures[static_cast<size_t>(level)] = queue / level_units;
    }
    const Allowed& allowed = controller.Step(now_us, seen);
    limited_steps += allowed.limited;
    budget.Allow(allowed);
    used = {};
    for (size_t i = 0; i < kPriorities; ++i) Offer(i);
    const double drained = std::min(queue, capacity * kDt);
    queue -= drained;
    done += drained;
    if (capacity > 0) longest_wait_s = std::max(longest_wait_s, queue / capacity);
  }
  void Run(double seconds) {
    for (double at = 0; at < seconds; at += kDt) Step();
  }

 private:
  static constexpr double kPiece = 8;  // units of one write
  double stuck_s_ = 0;
  ByPriority<double> rest_{};

  void Offer(size_t i) {
    Class& here = classes[i];
    const double units = offered[i] * kDt;
    came[i] += units;
    if (units > 0) here.waits.emplace_back(units, now_us);
    here.waiting += units;
    while (!here.waits.empty()) {
      auto& [left, since] = here.waits.front();
      const double piece = std::min(kPiece, left);
      if (queue >= queue_most) {
        if (i == 0) critical_held += left;
        break;
      }
      rest_[i] += piece;
      const auto whole = static_cast<uint64_t>(rest_[i]);
      if (!budget.Take(static_cast<Priority>(i), whole)) {
        rest_[i] -= piece;
        break;
      }
      rest_[i] -= static_cast<double>(whole);
      used[i] += whole;
      ran[i] += piece;
      queue += piece;
      Spend(here, piece);
    }
    while (!here.waits.empty() && now_us - here.waits.front().second > Budget::kPatienceUs[i]) {
      refused[i] += here.waits.front().first;
      Spend(here, here.waits.front().first);
    }
  }
  static void Spend(Class& here, double units) {
    here.waiting -= units;
    here.waits.front().first -= units;
    if (here.waits.front().first < 1e-6) here.waits.pop_front();
  }
};

double All(const ByPriority<double>& of) {
  double all = 0;
  for (const double one : of) all += one;
  return all;
}

// Goal:   whatever comes, the node does nearly all that it can, critical work is never held back,
//         what matters less is refused first, and nothing but critical work can take all.
// Method: loads from half to ten times of what the node carries, in five mixes of classes, for a
//         node whose log is the bottleneck and for one whose store is; judged after 5 s.
TEST(Controller, CarriesWhatTheNodeCanAtAnyLoad) {
  constexpr ByPriority<double> kMixes[] = {{0.1, 0.6, 0.3, 0},
                                           {0, 1, 0, 0},
                                           {0, 0.5, 0.5, 0},
                                           {0.05, 0.05, 0.9, 0},
                                           {0.05, 0.45, 0.3, 0.2}};
  for (const bool is_log : {true, false}) {
    for (const double load : {0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0}) {
      for (const ByPriority<double>& mix : kMixes) {
        SCOPED_TRACE(fmt::format("log {} load {} mix {} {} {} {}", is_log, load, mix[0], mix[1],
                                 mix[2], mix[3]));
        Model node;
        node.is_log = is_log;
        for (size_t i = 0; i < mix.size(); ++i) node.offered[i] = mix[i] * load * node.capacity;
        node.Run(5);
        const ByPriority<double> ran = node.ran, came = node.came, refused = node.refused;
        const double done = node.done;
        node.longest_wait_s = 0;
        node.Run(20);
        const auto rate = [](double now, double then) { return (now - then) / 20; };
        const double could = std::min(All(node.offered), node.capacity);
        EXPECT_GE(rate(node.done, done), 0.9 * could);
        if (load <= 0.8) {
          EXPECT_EQ(All(node.refused), 0);
        }
        if (node.offered[0] < node.capacity) {
          EXPECT_NEAR(node.ran[0], node.came[0], 10);
          EXPECT_EQ(node.critical_held, 0);
        }
        const bool spare = node.offered[0] < 0.9 * node.capacity;  // that critical work leaves
        if (is_log && spare) {
          EXPECT_LE(node.longest_wait_s, 2 * Delay::kGoodLeastUs / 1e6);
        }
        const auto share_refused = [&](Priority priority) {
          const size_t i = At(priority);
          const double came_late = node.came[i] - came[i];
          return came_late == 0 ? 0 : (node.refused[i] - refused[i]) / came_late;
        };
        if (node.offered[At(Priority::kLow)] > 0 && spare) {
          EXPECT_GE(share_refused(Priority::kLow) + 0.02, share_refused(Priority::kNormal));
          const double want = node.offered[At(Priority::kLow)];
          EXPECT_GE(rate(node.ran[2], ran[2]), std::min(want, 0.02 * node.capacity) * 0.9);
        }
        EXPECT_EQ(node.refused[At(Priority::kBackground)], 0) << "it waits";
      }
    }
  }
}

// Goal:   a node that becomes slower, or stands still for 30 s, is found out at once, and what it
//         can do again is used within seconds; meanwhile what waits stays small.
// Method: at half load to three times, capacity halves after 10 s, then is 0 for 30 s, then whole;
//         the log's queue and buffers.
TEST(Controller, FollowsANodeThatSlowsStandsStillAndRecovers) {
  for (const double load : {0.6, 1.5, 3.0}) {
    SCOPED_TRACE(load);
    Model node;
    const double whole = node.capacity;
    node.offered = {0.05 * load * whole, 0.6 * load * whole, 0.35 * load * whole, 0};
    node.Run(10);
    node.capacity = whole / 2;
    node.Run(2);
    double done = node.done;
    node.Run(10);
    EXPECT_GE(node.done - done, 0.9 * 10 * std::min(load * whole, whole / 2));
    node.capacity = 0;
    node.Run(1);
    const double queue = node.queue;
    node.Run(29);
    EXPECT_LE(node.queue - queue, node.offered[0] * 30) << "only critical writes go on";
    EXPECT_EQ(node.critical_held, 0);
    const double refused = node.refused[At(Priority::kNormal)];
    EXPECT_GT(refused, 0) << "nobody waits 30 s to hear of it";
    node.capacity = whole;
    node.Run(3);
    done = node.done;
    const double late = node.refused[At(Priority::kNormal)];
    node.Run(10);
    EXPECT_GE(node.done - done, 0.9 * 10 * std::min(load, 1.0) * whole);
    if (load < 1) {
      EXPECT_EQ(node.refused[At(Priority::kNormal)], late) << "it has recovered";
    }
  }
}

// Goal:   a store, or a projection, that falls behind slows the writes before it is at its bound,
//         and smoothly: the bound is never met, and no writes stop on the way there.
// Method: at half to ten times of what it works off, which then falls to a half or a tenth at once;
//         the level, and the writes of each tenth of a second, for a minute.
TEST(Controller, SlowsSmoothlyBeforeTheBound) {
  for (const Cause level : {Cause::kStore, Cause::kProjection}) {
    for (const double load : {0.5, 1.2, 3.0, 10.0}) {
      for (const double left : {1.0, 0.5, 0.1}) {
        SCOPED_TRACE(fmt::format("{} load {} left {}", NameOf(level), load, left));
        Model node;
        node.is_log = false;
        node.level = level;
        const double all = load * node.capacity;
        node.offered = {0.02 * node.capacity, 0.7 * all, 0.3 * all, 0};
        node.Run(5);
        node.capacity *= left;
        double most = 0, least = 1e9;
        for (int i = 0; i < 600; ++i) {
          const double ran = All(node.ran);
          node.Run(0.1);
          most = std::max(most, node.queue / node.level_units);
          least = std::min(least, All(node.ran) - ran);
        }
        const double could = std::min(All(node.offered), node.capacity);
        EXPECT_LT(most, kBound);
        EXPECT_GT(least, 0.2 * 0.1 * could);
      }
    }
  }
}

// Goal:   bursts pass without a trace: between them nobody is refused, in them the node does all it
//         can, and low work is not starved for ever.
// Method: half load; ten times of it for 5 s every 30 s, three times.
TEST(Controller, TakesBursts) {
  Model node;
  const ByPriority<double> calm = {0.05 * node.capacity, 0.3 * node.capacity, 0.15 * node.capacity};
  for (int burst = 0; burst < 3; ++burst) {
    node.offered = calm;
    node.Run(2);  // what came in the burst before and waits still
    const ByPriority<double> refused = node.refused, ran = node.ran;
    node.Run(23);
    EXPECT_EQ(node.refused, refused);
    EXPECT_GE(node.ran[2] - ran[2], 0.99 * 23 * calm[2]);
    for (size_t i = 1; i < calm.size(); ++i) node.offered[i] = 10 * calm[i];
    const double done = node.done;
    node.Run(5);
    EXPECT_GE(node.done - done, 0.9 * 5 * node.capacity);
  }
  EXPECT_NEAR(node.ran[0], node.came[0], 10);
}

// Goal:   nobody is held back while nothing is near a bound, and everybody but critical work at it.
// Method: pressures from 0 to 3 of each cause, after a second of work.
TEST(Controller, HoldsBackByPressureAlone) {
  for (size_t cause = 0; cause < kCauses; ++cause) {
    for (double pressure = 0; pressure <= 3; pressure += 0.25) {
      SCOPED_TRACE(fmt::format("{} {}", NameOf(static_cast<Cause>(cause)), pressure));
      Controller controller;
      Budget budget;
      uint64_t now_us = 5'000'000;
      Seen seen;
      seen.used = {0, 500, 0, 0};
      for (int i = 0; i < 100; ++i) controller.Step(now_us += kStepUs, seen);
      seen.pressures[cause] = pressure;
      const Allowed& allowed = controller.Step(now_us += kStepUs, seen);
      budget.Allow(allowed);
      EXPECT_EQ(allowed.limited, pressure >= kCalm);
      EXPECT_EQ(allowed.pressure, pressure);
      if (allowed.limited) {
        EXPECT_EQ(static_cast<size_t>(allowed.cause), cause);
      }
      EXPECT_TRUE(budget.Take(Priority::kCritical, 1'000'000));
      EXPECT_EQ(budget.Take(Priority::kNormal, 1), pressure < kBound);
      EXPECT_EQ(budget.Rest(1000) > 0,
                pressure > kCalm && static_cast<Cause>(cause) == Cause::kLog);
    }
  }
}

// Goal:   a write larger than all there is runs when its turn has come, and is paid for.
// Method: one of 100,000 units against grants of 10 a step; then small ones until they run again.
TEST(Budget, TakesWritesThatAreLargerThanItself) {
  Budget budget;
  Allowed allowed{.limited = true, .units = {0, 10, 10, 10}, .pressure = 1};
  budget.Allow(allowed);
  EXPECT_TRUE(budget.Take(Priority::kNormal, 100'000));
  EXPECT_FALSE(budget.Take(Priority::kNormal, 1));
  EXPECT_TRUE(budget.Take(Priority::kLow, 1)) << "each class pays for itself";
  int steps = 0;
  for (; !budget.Take(Priority::kNormal, 1); ++steps) {
    ASSERT_LT(steps, 200);
    budget.Allow(allowed);
  }
  EXPECT_GE(steps, 100);
}

// Goal:   what was saved while units were given out is gone when none are.
// Method: grants of each size that nobody takes, then none.
TEST(Budget, SavesNothingForTheBound) {
  for (const double units : {0.1, 1.0, 7.0, 1000.0}) {
    Budget budget;
    for (int i = 0; i < 20; ++i) budget.Allow({.limited = true, .units = {0, units, units, units}});
    EXPECT_GT(budget.Left(Priority::kNormal), 0u);
    budget.Allow({.limited = true, .pressure = kBound});
    EXPECT_EQ(budget.Left(Priority::kNormal), 0u);
  }
}

// Goal:   grants below one unit a step add up.
// Method: a tenth of a unit a step, for 100 steps.
TEST(Budget, AddsUpSmallGrants) {
  Budget budget;
  Allowed allowed{.limited = true, .units = {0, 0.1, 0, 0}, .pressure = 1};
  int ran = 0;
  for (int i = 0; i < 100; ++i) {
    budget.Allow(allowed);
    ran += budget.Take(Priority::kNormal, 1);
  }
  EXPECT_NEAR(ran, 10, 1);
}

// Goal:   a burst that passes is no delay, a wait that stays is, and a slow disk is given its time.
// Method: single long waits among short ones; long ones for a window; syncs of 40 ms.
TEST(Delay, IsWhatDoesNotGoAway) {
  Delay delay;
  for (int i = 0; i < 100; ++i) {
    delay.Sample(kStepUs, i % 5 == 0 ? 400'000 : 1'000, 500);
    EXPECT_LT(delay.pressure(), 0.1);
  }
  for (size_t i = 0; i < Delay::kWindow; ++i) delay.Sample(kStepUs, 50'000, 500);
  EXPECT_NEAR(delay.pressure(), 2, 0.01);
  Delay slow;
  for (size_t i = 0; i < Delay::kWindow; ++i) slow.Sample(kStepUs, 50'000, 40'000);
  EXPECT_LT(slow.pressure(), kCalm);
  for (size_t i = 0; i < Delay::kWindow; ++i) slow.Sample(kStepUs, 0, 40'000);
  EXPECT_EQ(slow.pressure(), 0);
}

}  // namespace
}  // namespace sluice::admit
