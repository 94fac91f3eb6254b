// BenchRun: sends a plan's commands when they are due, and measures each from then.
//
// Open loop: when a command is due is fixed beforehand (bench_schedule.h). It goes out on the
// connection of its stream that has been free for longest; one with fewer than `pipeline` commands
// under way is free. When none is, the command waits here, and its clock runs. What is refused is
// not sent again.
//
// Owns:     the connections. Borrows the plan and the clock.
// Threads:  none.
// Failure:  a connection that breaks ends the run; what was measured until then stays.
// Bounds:   what waits here is a number, not a queue. After the last command was due, what waits
//           goes out for the plan's drain. Then the replies to what is under way are awaited for as
//           long as the run was, and at most kBenchAwaitUs; what is missing is given up. A run
//           lasts as long as its plan at least.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "base/status.h"
#include "cli/bench_keys.h"
#include "cli/bench_plan.h"
#include "cli/bench_schedule.h"
#include "cli/bench_tally.h"
#include "cli/client.h"
#include "env/linux/loop.h"

namespace sluice::cli {

inline constexpr uint64_t kBenchAwaitUs = 10'000'000;

// What one sample of the run brought: of each stream.
struct BenchMoment {
  uint64_t at_us;  // its end, from the begin of the run
  std::vector<BenchSample> streams;

  BenchSample All() const;
};

class BenchRun {
 public:
  // `stop` becomes non-zero when the run should end early.
  BenchRun(const BenchPlan& plan, env::Clock& clock, const volatile int* stop);

  // kIo, kInvalid  as Client::Connect.
  Status Connect(const Address& address);
  // Requires: Connect() went well. `each_moment` hears of every sample.
  //   kIo  a connection broke.
  Status Run(const std::function<void(const BenchMoment&)>& each_moment);

  const BenchTally& tally(size_t stream) const { return streams_[stream].tally; }
  // How late commands went out of this program itself, a connection being free: what it adds to
  // the latencies.
  meter::Distribution lateness(size_t stream) const { return streams_[stream].lateness.Read(); }
  // Commands that went out and were not answered: they may have been done.
  uint64_t lost(size_t stream) const { return streams_[stream].lost; }
  uint64_t due(size_t stream) const { return streams_[stream].schedule.DueBy(ended_us_); }
  uint64_t elapsed_us() const { return ended_us_ - started_us_; }
  // The share of one core that this program used, its pauses included.
  double cores() const { return cores_; }
  // Why classes were not told to the server: its answer. Empty: they were, or there are none.
  const std::string& priority_refused() const { return priority_refused_; }

 private:
  struct Sent {
    uint64_t due_us;
    size_t command;
  };
  struct Line {
    std::unique_ptr<Client> client;
    size_t stream;
    std::deque<Sent> sent;
    bool free = true;          // it is in its stream's free lines
    bool wants_write = false;  // the socket takes no more
  };
  struct Stream {
    Stream(const BenchStream& plan, uint64_t start_us);

    BenchSchedule schedule;
    BenchKeys keys;
    BenchTally tally;
    meter::HistogramCell lateness;
    std::deque<size_t> free;  // lines, that which was freed first at the front
    uint64_t weights = 0;     // of its commands
    uint64_t next = 0;        // the command that goes out next
    uint64_t lost = 0;
    bool was_free = false;  // when this turn began
  };

  uint64_t Now() { return clock_.MonotonicUs(); }
  Status TellPriority(Client& client, const std::string& priority);
  Status Turn();
  Status Receive(Line& line);
  Status Dispatch(size_t index);
  Status Flush(size_t line);
  void Fill(size_t index, Line& line, uint64_t due, uint64_t now_us);
  size_t Draw(size_t stream);
  BenchMoment TakeMoment(uint64_t at_us);
  bool SendsMore() const;
  void GiveUp();

  const BenchPlan& plan_;
  env::Clock& clock_;
  const volatile int* const stop_;
  Prng prng_;
  std::unique_ptr<env::Loop> loop_;
  std::vector<env::Ready> ready_;
  std::deque<Stream> streams_;  // they cannot move
  std::vector<Line> lines_;
  uint64_t under_way_ = 0;
  uint64_t started_us_ = 0, ended_us_ = 0;
  uint64_t sends_until_us_ = 0, give_up_us_ = 0;
  double cores_ = 0;
  std::string priority_refused_;
  resp::Value reply_;
};

}  // namespace sluice::cli
