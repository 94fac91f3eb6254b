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

uint64_t ProcessorUs() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& time) {
    return uint64_t(time.tv_sec) * kSecondUs + time.tv_usec;
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

}  // namespace

BenchSample BenchMoment::All() const {
  BenchSample all;
  for (const BenchSample& sample : streams) all.Merge(sample);
  return all;
}

BenchRun::Stream::Stream(const BenchStream& plan, uint64_t start_us)
    : schedule(start_us, plan.phases), keys(plan.keys), tally(plan.commands.size()) {
  for (const BenchCommand& command : plan.commands) weights += command.weight();
}

BenchRun::BenchRun(const BenchPlan& plan, env::Clock& clock, const volatile int* stop)
    : plan_(plan), clock_(clock), stop_(stop), prng_(plan.seed) {
  for (const BenchStream& stream : plan.streams) streams_.emplace_back(stream, 0);
}

Status BenchRun::Connect(const Address& address) {
  RaiseDescriptorLimit();
  // The kernel rounds sleeps up by 50 us unless asked not to.
  prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);
  SLUICE_ASSIGN(loop_, env::Loop::Open());
  for (size_t i = 0; i < streams_.size(); ++i) {
    const BenchStream& stream = plan_.streams[i];
    for (size_t c = 0; c < stream.connections; ++c) {
      const size_t index = lines_.size();
      Line& line = lines_.emplace_back();
      line.stream = i;
      SLUICE_ASSIGN(line.client, Client::Connect(address, clock_, kConnectMs, kReadBytes));
      if (!stream.priority.empty()) SLUICE_TRY(TellPriority(*line.client, stream.priority));
      SLUICE_TRY(loop_->Add(line.client->fd(), index, env::Interest::kRead));
      streams_[i].free.push_back(index);
    }
  }
  return Ok();
}

Status BenchRun::TellPriority(Client& client, const std::string& priority) {
  SLUICE_ASSIGN(const resp::Value reply, client.Call({"SLUICE", "PRIORITY", priority}, kConnectMs));
  if (reply.is_error()) priority_refused_ = reply.text;
  return Ok();
}

Status BenchRun::Run(const std::function<void(const BenchMoment&)>& each_moment) {
  started_us_ = Now() + kStartUs;
  for (size_t i = 0; i < streams_.size(); ++i) {
    streams_[i].schedule = BenchSchedule(started_us_, plan_.streams[i].phases);
  }
  const uint64_t run_us = plan_.seconds * kSecondUs;
  sends_until_us_ = started_us_ + run_us + plan_.drain_us;
  give_up_us_ = sends_until_us_ + std::min(run_us, kBenchAwaitUs);
  const uint64_t used_us = ProcessorUs();
  const uint64_t sample_us = plan_.sample_ms * 1'000;
  uint64_t sample_end_us = started_us_ + sample_us;
  Status status = Ok();
  while (status.ok() && *stop_ == 0) {
    status = Turn();
    ended_us_ = Now();
    for (; ended_us_ >= sample_end_us; sample_end_us += sample_us) {
      each_moment(TakeMoment(sample_end_us));
    }
    const bool done = under_way_ == 0 && !SendsMore() && ended_us_ >= started_us_ + run_us;
    if (done || ended_us_ >= give_up_us_) break;
  }
  GiveUp();
  ended_us_ = std::max(ended_us_, started_us_);
  cores_ = static_cast<double>(ProcessorUs() - used_us) /
           static_cast<double>(std::max<uint64_t>(1, elapsed_us()));
  return status;
}

bool BenchRun::SendsMore() const {
  return ended_us_ < sends_until_us_ &&
         std::any_of(streams_.begin(), streams_.end(),
                     [](const Stream& each) { return each.next < each.schedule.total(); });
}

BenchMoment BenchRun::TakeMoment(uint64_t at_us) {
  BenchMoment moment{.at_us = at_us - started_us_, .streams = {}};
  for (Stream& stream : streams_) {
    moment.streams.push_back(stream.tally.TakeSample(stream.schedule.DueBy(at_us - 1)));
  }
  return moment;
}

Status BenchRun::Turn() {
  const uint64_t now_us = Now();
  const bool sends = now_us < sends_until_us_;
  uint64_t until_us = std::min(now_us + kSleepUsMax, give_up_us_);
  for (Stream& stream : streams_) {
    stream.was_free = !stream.free.empty();
    if (sends && stream.was_free && stream.next < stream.schedule.total()) {
      until_us = std::min(until_us, stream.schedule.DueUs(stream.next));
    }
  }
  loop_->Poll(static_cast<int64_t>(until_us - std::min(until_us, now_us)), &ready_);
  for (const env::Ready& ready : ready_) {
    Line& line = lines_[ready.tag];
    if (ready.writable) SLUICE_TRY(Flush(ready.tag));
    if (ready.readable || ready.broken) SLUICE_TRY(Receive(line));
    if (!line.free && line.sent.size() < plan_.pipeline) {
      line.free = true;
      streams_[line.stream].free.push_back(ready.tag);
    }
  }
  for (size_t i = 0; i < streams_.size() && sends; ++i) SLUICE_TRY(Dispatch(i));
  return Ok();
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
    streams_[line.stream].tally.OnReply(sent.command, sent.due_us, now_us, reply_);
  }
}

// Sends all of a stream that is due and finds a free connection.
Status BenchRun::Dispatch(size_t index) {
  Stream& stream = streams_[index];
  const uint64_t now_us = Now();
  const uint64_t due = stream.schedule.DueBy(now_us);
  while (stream.next < due && !stream.free.empty()) {
    const size_t at = stream.free.front();
    stream.free.pop_front();
    Line& line = lines_[at];
    Fill(index, line, due, now_us);
    line.free = line.sent.size() < plan_.pipeline;
    if (line.free) stream.free.push_back(at);
    SLUICE_TRY(Flush(at));
  }
  return Ok();
}

void BenchRun::Fill(size_t index, Line& line, uint64_t due, uint64_t now_us) {
  Stream& stream = streams_[index];
  std::string& out = line.client->out();
  while (stream.next < due && line.sent.size() < plan_.pipeline) {
    const size_t command = Draw(index);
    plan_.streams[index].commands[command].Append(out, stream.keys.Draw(prng_), stream.next, prng_);
    const uint64_t due_us = stream.schedule.DueUs(stream.next++);
    line.sent.push_back({.due_us = due_us, .command = command});
    ++under_way_;
    // With a connection free before this turn, nothing but this program has held it up.
    if (stream.was_free) stream.lateness.Record(now_us - due_us);
    if (out.size() >= kFlushBytes) return;
  }
}

size_t BenchRun::Draw(size_t stream) {
  const std::vector<BenchCommand>& commands = plan_.streams[stream].commands;
  if (commands.size() == 1) return 0;
  uint64_t left = prng_.Below(streams_[stream].weights);
  size_t command = 0;
  while (left >= commands[command].weight()) left -= commands[command++].weight();
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
    streams_[line.stream].lost += line.sent.size();
    for (const Sent& sent : line.sent) {
      streams_[line.stream].tally.OnUnanswered(sent.due_us, ended_us_);
    }
  }
  for (size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    for (uint64_t n = stream.next; n < due(i); ++n) {
      stream.tally.OnUnanswered(stream.schedule.DueUs(n), ended_us_);
    }
  }
}

}  // namespace sluice::cli
