#include "cli/bench_run.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>

namespace sluice::cli {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr int kConnectMs = 2'000;
constexpr size_t kReadBytes = 16 << 10;  // of each connection's buffer to begin with
constexpr size_t kFlushBytes = 64 << 10;
constexpr uint64_t kStartUs = 1'000;      // from connecting to the first command
constexpr uint64_t kSleepUsMax = 10'000;  // so that a signal to stop is seen

// As many sockets as the system gives.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

BenchRun::BenchRun(const BenchPlan& plan, env::Clock& clock, const volatile int* stop)
    : plan_(plan),
      clock_(clock),
      stop_(stop),
      schedule_(0, plan.rate, plan.seconds),
      tally_(plan.commands.size()),
      prng_(plan.seed) {
  for (const BenchCommand& command : plan.commands) weights_ += command.weight();
}

Status BenchRun::Connect(const Address& address) {
  RaiseDescriptorLimit();
  // The kernel rounds sleeps up by 50 us unless asked not to.
  prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);
  SLUICE_ASSIGN(loop_, env::Loop::Open());
  lines_.resize(plan_.connections);
  for (size_t i = 0; i < lines_.size(); ++i) {
    SLUICE_ASSIGN(lines_[i].client, Client::Connect(address, clock_, kConnectMs, kReadBytes));
    SLUICE_TRY(loop_->Add(lines_[i].client->fd(), i, env::Interest::kRead));
    free_.push_back(i);
  }
  return Ok();
}

Status BenchRun::Run(const std::function<void(uint64_t, const BenchSecond&)>& each_second) {
  schedule_ = BenchSchedule(Now() + kStartUs, plan_.rate, plan_.seconds);
  const uint64_t run_us = plan_.seconds * kSecondUs;
  const uint64_t end_us = schedule_.start_us() + run_us;
  const uint64_t give_up_us = end_us + std::min(run_us, kBenchDrainUs);
  uint64_t second = 1;
  Status status = Ok();
  while (status.ok() && *stop_ == 0) {
    status = Turn(give_up_us);
    ended_us_ = Now();
    for (; ended_us_ >= schedule_.start_us() + second * kSecondUs; ++second) {
      each_second(second, tally_.TakeSecond());
    }
    const bool done = next_ == schedule_.total() && under_way_ == 0;
    if (done || ended_us_ >= give_up_us) break;
  }
  GiveUp();
  return status;
}

Status BenchRun::Turn(uint64_t give_up_us) {
  const bool was_free = !free_.empty();
  const uint64_t now_us = Now();
  uint64_t until_us = std::min(now_us + kSleepUsMax, give_up_us);
  if (was_free && next_ < schedule_.total()) until_us = std::min(until_us, schedule_.DueUs(next_));
  loop_->Poll(static_cast<int64_t>(until_us - std::min(until_us, now_us)), &ready_);
  for (const env::Ready& ready : ready_) {
    Line& line = lines_[ready.tag];
    if (ready.writable) SLUICE_TRY(Flush(ready.tag));
    if (ready.readable || ready.broken) SLUICE_TRY(Receive(line));
    if (!line.free && line.sent.size() < plan_.pipeline) {
      line.free = true;
      free_.push_back(ready.tag);
    }
  }
  return Dispatch(was_free);
}

Status BenchRun::Receive(Line& line) {
  SLUICE_TRY(line.client->Read());
  const uint64_t now_us = Now();
  for (;;) {
    SLUICE_ASSIGN(const bool whole, line.client->Next(&reply_));
    if (!whole) return Ok();
    if (line.sent.empty()) return Fail(Code::kIo, "the server sends replies to nothing");
    const Sent sent = line.sent.front();
    line.sent.pop_front();
    --under_way_;
    tally_.OnReply(sent.command, sent.due_us, now_us, reply_);
  }
}

// Sends all that is due and finds a free connection.
Status BenchRun::Dispatch(bool was_free) {
  const uint64_t now_us = Now();
  const uint64_t due = schedule_.DueBy(now_us);
  while (next_ < due && !free_.empty()) {
    const size_t index = free_.front();
    free_.pop_front();
    Line& line = lines_[index];
    Fill(line, due, now_us, was_free);
    line.free = line.sent.size() < plan_.pipeline;
    if (line.free) free_.push_back(index);
    SLUICE_TRY(Flush(index));
  }
  return Ok();
}

void BenchRun::Fill(Line& line, uint64_t due, uint64_t now_us, bool was_free) {
  std::string& out = line.client->out();
  while (next_ < due && line.sent.size() < plan_.pipeline) {
    const size_t command = Draw();
    plan_.commands[command].Append(out, prng_.Below(plan_.keys), next_, prng_);
    const uint64_t due_us = schedule_.DueUs(next_++);
    line.sent.push_back({.due_us = due_us, .command = command});
    ++under_way_;
    // With a connection free before this turn, nothing but this program has held it up.
    if (was_free) lateness_.Record(now_us - due_us);
    if (out.size() >= kFlushBytes) return;
  }
}

size_t BenchRun::Draw() {
  if (plan_.commands.size() == 1) return 0;
  uint64_t left = prng_.Below(weights_);
  size_t command = 0;
  while (left >= plan_.commands[command].weight()) left -= plan_.commands[command++].weight();
  return command;
}

Status BenchRun::Flush(size_t index) {
  Line& line = lines_[index];
  SLUICE_TRY(line.client->Write());
  const bool wants_write = line.client->unsent() > 0;
  if (wants_write != line.wants_write) {
    loop_->Modify(line.client->fd(), index,
                  wants_write ? env::Interest::kReadWrite : env::Interest::kRead);
    line.wants_write = wants_write;
  }
  return Ok();
}

// Every command that was due and has no reply counts with the age that it has reached.
void BenchRun::GiveUp() {
  for (const Line& line : lines_) {
    for (const Sent& sent : line.sent) tally_.OnUnanswered(sent.due_us, ended_us_);
  }
  for (uint64_t n = next_; n < due(); ++n) tally_.OnUnanswered(schedule_.DueUs(n), ended_us_);
}

}  // namespace sluice::cli
