#include "server/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "admit/refusal.h"
#include "base/log_line.h"
#include "base/text.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr size_t kInputKept = 8 << 10;  // capacity that an empty input buffer keeps
constexpr size_t kArgsKept = 1024;      // and a list of arguments
// Of a command and its reply. What is larger may take its time, and is timed alone.
constexpr size_t kShortBytesMax = 1024;
// What slower commands are to be told by: each is timed alone if this is slow.
constexpr uint64_t kTogetherUs = 1'000;

constexpr std::string_view kWriteLost =
    "INDOUBT the log failed while it held this write; it may or may not have been applied; ask "
    "again "
    "with the same ONCE token once the server is back";
constexpr std::string_view kReadLost =
    "ERR the log failed before this reply could be given; nothing is known to be wrong with the "
    "data";

constexpr std::string_view kUnreadReplies = "unread_replies";
constexpr uint64_t kUnreadRetryMs = 100;
constexpr std::string_view kClients = "clients";  // what all of them hold
constexpr uint64_t kClientsRetryMs = 1'000;

// The write that a command asks for, if it is one.
struct Written {
  const command::Spec* spec = nullptr;
  command::Args args;
  bool once = false;
};

Written WrittenBy(const ingest::Ahead& next) {
  Written written{next.spec, next.args};
  if (next.spec != nullptr && next.args.size() > 4 && next.spec->name == "sluice" &&
      EqualFolded(next.args[1], "once")) {
    written.once = true;
    written.args = written.args.subspan(next.args[2].starts_with('@') ? 4 : 3);
    written.spec = command::FindCommand(written.args[0]);
  }
  const bool writes = written.spec != nullptr && (written.spec->flags & command::kWrite);
  return writes ? written : Written();
}

// Whether it takes as long as any other such command does.
bool IsShort(const ingest::Ahead& command) {
  return command.spec != nullptr && command.spec->face == command::Face::kKey &&
         (command.spec->flags & (command::kFast | command::kFolds)) &&
         command.bytes <= kShortBytesMax;
}

uint64_t UnitsOf(command::Args args) {
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += arg.size();
  return admit::UnitsOf(bytes);
}

}  // namespace

Session::Session(Context& context, ingest::Lane& lane, Meters& meters, CommandCounts& counts,
                 uint64_t connection, std::string peer, std::string local)
    : context_(context),
      lane_(lane),
      meters_(meters),
      counts_(counts),
      connection_(connection),
      parser_(resp::kLimitsBeforeAuth) {
  client_.id = context.next_client_id.fetch_add(1, std::memory_order_relaxed);
  client_.peer = std::move(peer);
  client_.local = std::move(local);
  client_.opened_us = client_.active_us = context.clock.MonotonicUs();
  Welcome();
}

Session::~Session() {
  context_.client_memory.Hold(0, &told_bytes_);
}

void Session::Reset() {
  client_.name.clear();
  client_.version = resp::Version::k2;
  client_.ack = model::Ack::kMemory;
  client_.priority = model::Priority::kCritical;
  why_.Clear();
  if (client_.replies != Replies::kSkipThis) client_.replies = Replies::kOn;
  client_.no_evict = client_.no_touch = false;
  Welcome();
}

void Session::Feed(std::string_view bytes) {
  if (phase_ != Phase::kOpen || input_ended_) return;
  if (more_ || Blocked()) {
    in_.append(bytes);
    more_ = true;
    return;
  }
  if (in_at_ == in_.size()) {
    Keep(bytes.substr(Run(bytes)));
    return;
  }
  in_.append(bytes);
  Resume();
}

void Session::Resume() {
  in_at_ += Run(std::string_view(in_).substr(in_at_));
  if (in_at_ == in_.size()) {
    Keep({});
  } else if (in_at_ >= in_.size() / 2) {
    in_.erase(0, in_at_);
    in_at_ = 0;
    // What held_bytes no longer counts is not to be kept either.
    if (in_.capacity() > kInputKept) in_.shrink_to_fit();
  }
}

void Session::Keep(std::string_view rest) {
  in_at_ = 0;
  in_.assign(rest);
  if (in_.empty() && in_.capacity() > kInputKept) in_.shrink_to_fit();
}

void Session::EndInput() {
  input_ended_ = true;
  admission_.Pass();  // what came runs
}

void Session::CloseAfterReplies() {
  if (phase_ == Phase::kOpen) phase_ = Phase::kClosing;
}

size_t Session::Run(std::string_view bytes) {
  using Got = resp::Parser::Got;
  size_t done = 0, commands = 0;
  more_ = alone_ = false;
  now_us_ = client_.active_us = context_.clock.MonotonicUs();
  const uint64_t until_us = now_us_ + turn_us_;
  for (Got end = Got::kCommand; end == Got::kCommand;) {
    size_t skipped = 0;
    const std::span<ingest::Ahead> ahead = LookAhead(bytes.substr(done), &end, &skipped);
    bool wait = false;
    for (size_t i = 0; i < ahead.size() && phase_ == Phase::kOpen; ++i) {
      ingest::Ahead& next = ahead[i];
      const bool enough = commands == kCommandsPerTurn || (commands > 0 && now_us_ >= until_us);
      ++commands;
      wait = enough || MustWait(next) || !Admit(next);
      if (wait) break;
      done += next.bytes;
      Execute(next);
      if (next.args.capacity() > kArgsKept) {
        TakeTime();  // what ran names them
        std::vector<std::string_view>().swap(next.args);
      }
    }
    TakeTime();
    if (phase_ != Phase::kOpen) return bytes.size();
    if (wait) {
      // It is parsed again when its time has come.
      parser_.Rewind();
      more_ = true;
      return done;
    }
    done += skipped;
    EndOfCommands(end);
  }
  return phase_ == Phase::kOpen ? done : bytes.size();
}

std::span<ingest::Ahead> Session::LookAhead(std::string_view bytes, resp::Parser::Got* end,
                                            size_t* skipped) {
  using Got = resp::Parser::Got;
  ingest::Lookahead& ahead = lane_.lookahead();
  // The first command may log in, which changes how the second is read.
  const size_t most = client_.authenticated ? ahead.size() : 1;
  size_t count = 0;
  for (bool plain = true; plain && count < most;) {
    ingest::Ahead& next = ahead[count];
    // What an inline command's quotes mean is gone with the next one.
    plain = !bytes.empty() && bytes.front() == '*';
    if (!plain && count > 0) break;
    *end = parser_.Next(bytes, &next.bytes, &next.args);
    if (*end != Got::kCommand) {
      *skipped = next.bytes;
      break;
    }
    // A pipeline is mostly one command over and over.
    const bool again = count > 0 && next.args[0] == ahead[count - 1].args[0];
    next.spec = again ? ahead[count - 1].spec : command::FindCommand(next.args[0]);
    next.placed = nullptr;
    bytes.remove_prefix(next.bytes);
    ++count;
  }
  const std::span<ingest::Ahead> found(ahead.data(), count);
  if (count > 1) lane_.Foresee(found);
  return found;
}

bool Session::MustWait(const ingest::Ahead& next) {
  if (Blocked() || lane_.TurnFull() || context_.client_memory.Full()) return true;
  if (replies_.in_flight() == 0 || !RunsAlone(next.spec, next.args)) return false;
  alone_ = true;
  return true;
}

bool Session::Admit(const ingest::Ahead& next) {
  using Verdict = Admission::Verdict;
  refused_ = false;
  admit::Budget& budget = lane_.node().budget;
  if (!budget.limited() || input_ended_ || !client_.authenticated) {
    admission_.Pass();
    return true;
  }
  const Written written = WrittenBy(next);
  if (written.spec == nullptr) return true;
  const model::Priority place =
      lane_.PriorityOf(*written.spec, written.args, written.once ? nullptr : &next);
  const bool waited = admission_.waits();
  const uint64_t since_us = admission_.since_us();
  const Verdict verdict = admission_.Ask(
      budget, {std::max(client_.priority, place), UnitsOf(written.args), !written.once}, now_us_);
  if (verdict == Verdict::kRun) {
    if (waited) {
      why_.Waited(admit::NameOf(budget.cause()), admission_.waits_as(), now_us_ - since_us,
                  now_us_);
    }
    return true;
  }
  if (verdict == Verdict::kWait) {
    if (!waited) meters_.held[admission_.waits_as()].Add();
    return false;
  }
  refused_ = lane_.TakeRefusal();
  return refused_;
}

void Session::Shed(resp::Reply& reply) {
  const admit::Budget& budget = lane_.node().budget;
  meters_.shed[admission_.waits_as()].Add();
  reply.Error(
      admit::Overloaded(admit::NameOf(budget.cause()), admission_.waits_as(), budget.RetryMs()));
}

void Session::EndOfCommands(resp::Parser::Got end) {
  if (end == resp::Parser::Got::kError) {
    ProtocolError();
  } else if (end == resp::Parser::Got::kCrossProtocol) {
    meters_.protocol_errors.Add();
    LogWarning("server", "HTTP was sent to the port of Redis clients; connection closed",
               {{"peer", client_.peer}});
    Kill();
  }
}

void Session::ProtocolError() {
  meters_.protocol_errors.Add();
  EndWith(parser_.error());
}

void Session::EndWith(std::string_view error) {
  std::string& to = replies_.Begin();
  const size_t begin = to.size();
  resp::Reply(to, client_.version).Error(error);
  meters_.CountOverloaded(std::string_view(to).substr(begin));
  replies_.End({}, {.ack = model::Ack::kMemory});
  CloseAfterReplies();
  lingers_ = true;
}

void Session::Execute(const ingest::Ahead& command) {
  const command::Args args = command.args;
  if (!IsShort(command)) TakeTime();
  meters_.commands.Add();
  std::string& to = replies_.Begin();
  const size_t begin = to.size();
  resp::Reply reply(to, client_.version);
  if (client_.replies == Replies::kSkipNext) client_.replies = Replies::kSkipThis;
  const command::Spec* spec = command::Resolve(command.spec, args, reply);
  if (users_version_ != context_.users.version()) MeetNewUsers();
  const bool runs = spec != nullptr && Permits(*spec, args, reply);
  if (runs) {
    client_.last = spec;
    client_.last_sub = {};
    if (refused_) Shed(reply);
  }
  Answer answer = runs && !refused_ ? Dispatch(command, to) : Answer();
  const size_t bytes = command.bytes + to.size() - begin;
  const bool failed = answer.now && to.size() > begin && to[begin] == '-';
  if (failed) {
    const std::string_view error = std::string_view(to).substr(begin);
    counts_.CountError(error);
    meters_.CountOverloaded(error);
    if (runs) why_.Refused(error.substr(1), spec->name, now_us_);
  }
  answer.terms.silent = answer.terms.silent || client_.replies != Replies::kOn;
  if (client_.replies == Replies::kSkipThis) client_.replies = Replies::kOn;
  if (answer.now) {
    if (patience_.deadline_us == 0) {
      replies_.End(answer.gate, answer.terms);
    } else {
      const Patience patience = std::exchange(patience_, {});
      replies_.EndWithin(answer.gate, answer.terms, patience.deadline_us, patience.late);
    }
    lane_.Await(replies_.TakeAwaited());
  } else {
    answer.terms.spec = spec;
    replies_.EndLater(answer.terms);
    alone_ = RunsAlone(command.spec, args);
  }
  if (!runs) {
    meters_.errors.Add();
    if (spec != nullptr) counts_.Of(*spec).rejected.Add();
  } else {
    if (failed) counts_.Of(*spec).failed.Add();
    ran_.push_back({spec, args});
    const bool alone = !IsShort(command) || bytes > kShortBytesMax;
    if (alone || context_.slow_log.IsSlow(kTogetherUs)) TakeTime(alone);
  }
  CheckOutput();
}

void Session::TakeTime(bool alone) {
  if (ran_.empty()) return;
  const uint64_t now_us = context_.clock.MonotonicUs();
  const uint64_t took_us = now_us - now_us_;
  now_us_ = now_us;
  const size_t count = ran_.size();
  for (size_t i = 0; i < count; ++i) {
    const uint64_t share_us = took_us * (i + 1) / count - took_us * i / count;
    counts_.Of(*ran_[i].spec).Ran(!alone ? share_us : i + 1 == count ? took_us : 0);
  }
  const auto [spec, args] = ran_.back();
  ran_.clear();
  if (context_.latency.IsSpike(took_us)) {
    using Event = LatencyEvents::Event;
    const bool fast = (spec->flags & command::kFast) != 0;
    context_.latency.Add(fast ? Event::kFastCommand : Event::kCommand,
                         context_.clock.WallMs() / 1000, took_us / 1000);
  }
  // Passwords are not kept.
  if (context_.slow_log.IsSlow(took_us) && !(spec->flags & command::kNoAuth)) {
    context_.slow_log.Add(args, context_.clock.WallMs() / 1000, took_us, client_.peer,
                          client_.name);
  }
}

Answer Session::Dispatch(const ingest::Ahead& command, std::string& to) {
  const command::Spec& spec = *command.spec;
  if (spec.face != command::Face::kSession) return Submit(spec, command.args, {}, to, &command);
  resp::Reply reply(to, client_.version);
  Call call{*this, client_, context_, lane_, spec, command.args, reply};
  return Handle(call);
}

Answer Session::Submit(const command::Spec& spec, command::Args args, const shard::Once& once,
                       std::string& to, const ingest::Ahead* foreseen) {
  const shard::Command command{&spec, args, client_.version, once, client_.priority};
  const bool named = client_.user->has_password;
  const ingest::Asker asker{named ? std::string_view(client_.user->name) : std::string_view(),
                            client_.peer, now_us_};
  const ingest::Submitted submitted = lane_.Submit(command, origin(), asker, to, foreseen);
  if (!submitted.observed.empty()) why_.Observed(submitted.observed, spec.name, now_us_);
  served_ = std::max(client_.priority, submitted.priority);
  if (spec.flags & command::kWrite) meters_.units[served_].Add(UnitsOf(args));
  return {
      submitted.done,
      submitted.gate,
      {.ack = std::max(client_.ack, submitted.ack), .write = (spec.flags & command::kWrite) != 0}};
}

void Session::Fulfil(uint64_t slot, std::string_view bytes, const shard::Gate& gate) {
  if (phase_ == Phase::kDead) return;
  // How large the replies of other lanes are is known when they come. With a read's, nothing is
  // lost.
  const bool fits = replies_.bytes() + bytes.size() <= kOutputBytesMax;
  std::string refusal;
  if (!fits && !replies_.AwaitsWrite(slot)) {
    resp::Reply(refusal, client_.version)
        .Error(admit::Overloaded(
            kUnreadReplies, std::max(client_.priority, model::Priority::kNormal), kUnreadRetryMs));
    bytes = refusal;
  }
  if (bytes.starts_with('-')) {
    counts_.CountError(bytes);
    meters_.CountOverloaded(bytes);
    const command::Spec* const spec = replies_.SpecOf(slot);
    why_.Refused(bytes.substr(1), spec == nullptr ? std::string_view() : spec->name,
                 context_.clock.MonotonicUs());
  }
  replies_.Fulfil(slot, bytes, gate);
  lane_.Await(replies_.TakeAwaited());
  CheckOutput();
}

void Session::Sent(size_t bytes) {
  meters_.written_bytes.Add(bytes);
  replies_.Sent(bytes);
}

void Session::CheckOutput() {
  const size_t most = knew_password_ ? kOutputBytesMax : kOutputBytesMaxBeforeAuth;
  if (replies_.bytes() <= most) return;
  meters_.overflows.Add();
  LogWarning("server", "a client's replies passed the bound; connection closed",
             {{"peer", client_.peer},
              {"bytes", replies_.bytes()},
              {"most", most},
              {"command", client_.last == nullptr ? std::string_view() : client_.last->name}});
  knew_password_ ? Kill() : CloseAfterReplies();
}

void Session::EndForMemory() {
  meters_.overflows.Add();
  LogWarning("server", "clients hold all the memory they may; the one that holds most was closed",
             {{"peer", client_.peer},
              {"unfinished_bytes", in_.size()},
              {"unsent_bytes", replies_.bytes()},
              {"all_clients_bytes", context_.client_memory.used()}});
  // Who does not take its replies would not take this one.
  const size_t unfinished = in_.size() - in_at_;
  if (phase_ != Phase::kOpen || unfinished <= replies_.held_bytes()) return Kill();
  const uint64_t most = context_.client_memory.most();
  EndWith(unfinished > most
              ? fmt::format("ERR a command of more than {} bytes is more than server.memory has "
                            "room for; nothing of it was applied",
                            most)
              : admit::Overloaded(kClients, std::max(client_.priority, served_), kClientsRetryMs));
  std::string().swap(in_);
  in_at_ = 0;
}

void Session::Release() {
  replies_.Release();
  if (in_.empty()) in_.shrink_to_fit();
}

void Session::FailWaiting() {
  replies_.Sendable(lane_.node().committer->durable());  // what is durable is not in doubt
  replies_.FailWaiting(kWriteLost, kReadLost);
  CloseAfterReplies();
}

}  // namespace sluice::server
