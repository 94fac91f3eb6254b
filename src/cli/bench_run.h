// BenchRun: sends commands when they are due, over many connections, and measures each from then.
//
// Open loop: when a command is due is fixed beforehand (bench_schedule.h). It goes out on the
// connection that has been free for longest; one with fewer than `pipeline` commands under way is
// free. When none is, the command waits here, and its clock runs.
//
// Owns:     the connections. Borrows the clock.
// Threads:  none.
// Failure:  a connection that breaks ends the run; what was measured until then stays.
// Bounds:   what waits here is a number, not a queue. Replies still missing as long after the last
//           command was due as the run was long, and at most kBenchDrainUs, are given up.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "base/status.h"
#include "cli/bench_command.h"
#include "cli/bench_schedule.h"
#include "cli/bench_tally.h"
#include "cli/client.h"
#include "env/linux/loop.h"

namespace sluice::cli {

inline constexpr uint64_t kBenchDrainUs = 10'000'000;
inline constexpr size_t kBenchConnectionsMax = 10'000;
inline constexpr size_t kBenchPipelineMax = 1'024;

struct BenchPlan {
  std::string name;  // for the report
  std::vector<BenchCommand> commands;
  uint64_t rate = 10'000;  // commands a second, all together
  uint64_t seconds = 10;
  size_t connections = 50;
  size_t pipeline = 1;  // commands under way on one connection at most
  uint64_t keys = 1'000'000;
  uint64_t seed = 1;
};

class BenchRun {
 public:
  // `stop` becomes non-zero when the run should end early.
  BenchRun(const BenchPlan& plan, env::Clock& clock, const volatile int* stop);

  // kIo, kInvalid  as Client::Connect.
  Status Connect(const Address& address);
  // Requires: Connect() went well. `each_second` hears what every whole second brought.
  //   kIo  a connection broke.
  Status Run(const std::function<void(uint64_t second, const BenchSecond&)>& each_second);

  const BenchTally& tally() const { return tally_; }
  // How late commands went out of this program itself, a connection being free: what it adds to
  // the latencies.
  meter::Distribution lateness() const { return lateness_.Read(); }
  uint64_t due() const { return schedule_.DueBy(ended_us_); }
  uint64_t elapsed_us() const { return ended_us_ - schedule_.start_us(); }

 private:
  struct Sent {
    uint64_t due_us;
    size_t command;
  };
  struct Line {
    std::unique_ptr<Client> client;
    std::deque<Sent> sent;
    bool free = true;          // it is in free_
    bool wants_write = false;  // the socket takes no more
  };

  uint64_t Now() { return clock_.MonotonicUs(); }
  Status Turn(uint64_t give_up_us);
  Status Receive(Line& line);
  Status Dispatch(bool was_free);
  Status Flush(size_t index);
  void Fill(Line& line, uint64_t due, uint64_t now_us, bool was_free);
  size_t Draw();
  void GiveUp();

  const BenchPlan& plan_;
  env::Clock& clock_;
  const volatile int* const stop_;
  BenchSchedule schedule_;
  BenchTally tally_;
  meter::HistogramCell lateness_;
  Prng prng_;
  std::unique_ptr<env::Loop> loop_;
  std::vector<env::Ready> ready_;
  std::vector<Line> lines_;
  std::deque<size_t> free_;  // lines, that which was freed first at the front
  uint64_t next_ = 0;        // the command that goes out next
  uint64_t under_way_ = 0;
  uint64_t weights_ = 0;
  uint64_t ended_us_ = 0;
  resp::Value reply_;
};

}  // namespace sluice::cli
