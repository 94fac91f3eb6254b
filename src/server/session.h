// Session: one connection as a step machine: bytes in, commands out, replies back in order.
//
//   Feed()      takes received bytes and runs the whole commands among them.
//   Resume()    goes on with what could not run yet.
//   Fulfil()    the reply of a command that was on its way.
//   SealTurn()  the lane's turn ended; then Sendable() says what may be sent.
//
// A session stops reading and running while too much of its own is unanswered or unsent, and after
// kCommandsPerTurn, so that one client's pipeline does not starve the others. A command over
// several keys or shards takes longer roads than one on a single key; so that it neither overtakes
// nor is overtaken, it waits for all answers before it, and what follows waits for its own.
//
// Owns:     received bytes that are no whole command yet, and unsent replies. Borrows the lane.
// Threads:  none; the lane's own.
// Failure:  a request that is none, or that passes a bound, ends the connection after its error was
//           sent; replies beyond kOutputBytesMax end it at once, with a line in the log.
// Bounds:   input resp::Limits::command_bytes_max and one read; output kOutputBytesMax; of all
//           sessions together, ClientMemory.
#pragma once

#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command/handler.h"
#include "ingest/lane.h"
#include "resp/parser.h"
#include "server/admission.h"
#include "server/client.h"
#include "server/context.h"
#include "server/meters.h"
#include "server/reply_queue.h"
#include "server/why.h"

namespace sluice::server {

inline constexpr size_t kReadBytesMax = 256 << 10;  // from one socket in one turn
inline constexpr size_t kCommandsPerTurn = 1024;  // of one connection; the rest waits for the next
inline constexpr size_t kInFlightMax = 1024;      // commands without a reply, or behind one
inline constexpr size_t kOutputBytesPause = 4 << 20;  // unsent replies: nothing runs meanwhile
// The same, with those that are on their way (ReplyQueue::expected_bytes).
inline constexpr size_t kOutputBytesAhead = 16 << 20;
// Instead of both, while clients' memory is tight.
inline constexpr size_t kOutputBytesTight = 64 << 10;
// Beyond it the connection is closed. The largest value with its head fits behind all that may
// be there when its command runs.
inline constexpr size_t kOutputBytesMax = kOutputBytesAhead + command::kValueBytesMax + (64 << 10);
// Of a connection that never logged in: beyond it nothing more runs, and it ends behind its
// replies.
inline constexpr size_t kOutputBytesMaxBeforeAuth = 16 << 10;

// What became of a command: its reply is written and waits for `gate`, or comes later.
struct Answer {
  bool now = true;
  shard::Gate gate = {};
  Terms terms = {.ack = model::Ack::kMemory};
};
// How long the reply of the running command waits, and what is sent then (ReplyQueue::EndWithin).
struct Patience {
  uint64_t deadline_us = 0;  // 0: for ever
  std::string_view late;
};

class Session {
 public:
  Session(Context& context, ingest::Lane& lane, Meters& meters, CommandCounts& counts,
          uint64_t connection, std::string peer, std::string local);
  ~Session();

  void Feed(std::string_view bytes);
  // Nothing more will come: answers what came, then ends.
  void EndInput();
  void Resume();
  // What runs at once takes no longer than this, and one command more. No bound, until it is said.
  void LimitTurn(uint64_t us) { turn_us_ = us; }

  void Fulfil(uint64_t slot, std::string_view bytes, const shard::Gate& gate);
  // Some reply waits no longer than a deadline: lets it go when that has come.
  bool timed() const { return replies_.timed(); }
  void PassDeadlines(uint64_t now_us) { replies_.PassDeadlines(now_us); }
  void SealTurn(model::Lsn lsn) { replies_.SealTurn(lsn); }
  std::string_view Sendable(model::Lsn durable) { return replies_.Sendable(durable); }
  void Sent(size_t bytes);

  // Takes nothing more, sends the replies of what ran, then ends.
  void CloseAfterReplies();
  // Ends it, whatever is unsent.
  void Kill() { phase_ = Phase::kDead; }
  // The log failed: whatever still waits says so, then the connection ends.
  void FailWaiting();
  // Ends it, because it holds most of what all may hold; with an answer, if what it holds is mostly
  // a command that came in part.
  void EndForMemory();
  // Its last reply says why it ends, and what more the client sends is no use: it may be sending
  // still, and reads nothing before it is through.
  bool lingers() const { return lingers_; }
  // What came and has not run, and replies.
  uint64_t held_bytes() const { return in_.size() + parser_.bytes() + replies_.held_bytes(); }
  // Tells ClientMemory. After whatever may have changed it.
  void CountMemory() { context_.client_memory.Hold(held_bytes(), &told_bytes_); }
  // Gives back the memory that earlier work took. For a session that has been idle.
  void Release();

  bool WantsInput() const {
    return phase_ == Phase::kOpen && !input_ended_ && !more_ && !Blocked();
  }
  bool WantsTurn() const { return phase_ == Phase::kOpen && more_ && !Blocked(); }
  bool Finished() const {
    if (phase_ == Phase::kOpen) return input_ended_ && !more_ && replies_.empty();
    return phase_ == Phase::kDead || replies_.empty();
  }
  // Wants a turn only once there are units for its next write, or its patience has ended.
  const Admission& admission() const { return admission_; }
  // The class of what it ran last.
  model::Priority served() const { return served_; }
  // When it ran its last command.
  uint64_t now_us() const { return now_us_; }
  bool dead() const { return phase_ == Phase::kDead; }
  bool HasOutput() const { return replies_.bytes() > 0; }

  Client& client() { return client_; }
  const Client& client() const { return client_; }
  size_t input_bytes() const { return in_.size() - in_at_; }
  const ReplyQueue& replies() const { return replies_; }
  // What held up its writes.
  Why& why() { return why_; }

  // --- For the commands of this room. ---

  // Hands a command to the lane. Its arity holds and the client may run it.
  Answer Submit(const command::Spec& spec, command::Args args, const shard::Once& once,
                std::string& reply, const ingest::Ahead* foreseen = nullptr);
  // False, and why is written, if this client may not run the command.
  bool Permits(const command::Spec& spec, command::Args args, resp::Reply& reply);
  // Who there is. Valid until the next command.
  const auth::Users& users() const { return *users_; }
  // Becomes that user, one of users().
  void LogIn(const auth::User& user);
  void WaitWithin(const Patience& patience) { patience_ = patience; }
  // As it was when it connected.
  void Reset();
  // Writes the refusal and counts it. Always false.
  bool Deny(resp::Reply& reply, std::string_view error);
  ingest::Origin origin() const { return {lane_.id(), connection_, replies_.next_slot()}; }

 private:
  enum class Phase : uint8_t { kOpen, kClosing, kDead };

  bool Blocked() const {
    const bool tight = context_.client_memory.Tight();
    return replies_.in_flight() >= kInFlightMax ||
           replies_.bytes() >= (tight ? kOutputBytesTight : kOutputBytesPause) ||
           replies_.expected_bytes() >= (tight ? kOutputBytesTight : kOutputBytesAhead) ||
           (alone_ && replies_.in_flight() > 0);
  }
  // Runs commands at the front of `bytes`; returns how many bytes are done with.
  size_t Run(std::string_view bytes);
  void Keep(std::string_view rest);
  // Parses whole commands at the front of `bytes` into the lane's lookahead. `*end` says why there
  // are no more of them, or kCommand; `*skipped` bytes behind them are done with.
  std::span<ingest::Ahead> LookAhead(std::string_view bytes, resp::Parser::Got* end,
                                     size_t* skipped);
  // Whether the next command must wait, although it is there.
  bool MustWait(const ingest::Ahead& next);
  // Whether it runs now: a write may have to wait for units. May run to be refused (refused_).
  bool Admit(const ingest::Ahead& next);
  void Shed(resp::Reply& reply);
  // There is no command behind those that ran.
  void EndOfCommands(resp::Parser::Got end);
  void Execute(const ingest::Ahead& command);
  // Looks at the clock: what ran since the last look took that long, each its part or, `alone`, the
  // last of it all. Short commands that were parsed together share a look: it costs a tenth of one.
  void TakeTime(bool alone = false);
  Answer Dispatch(const ingest::Ahead& command, std::string& to);
  void ProtocolError();
  // The last reply.
  void EndWith(std::string_view error);
  void CheckOutput();
  void Welcome();  // as whom a connection begins
  // The users have changed: who has lost the password or the name must log in again.
  void MeetNewUsers();

  Context& context_;
  ingest::Lane& lane_;
  Meters& meters_;
  CommandCounts& counts_;
  const uint64_t connection_;
  uint64_t users_version_ = 0;
  std::shared_ptr<const auth::Users> users_;
  Client client_;
  resp::Parser parser_;
  ReplyQueue replies_;
  Phase phase_ = Phase::kOpen;
  bool input_ended_ = false;
  bool lingers_ = false;
  bool alone_ = false;  // nothing runs until all that is under way is answered
  bool more_ = false;   // `in_` may begin with a whole command
  std::string in_;      // received, from in_at_ on not taken yet
  size_t in_at_ = 0;
  Patience patience_;
  Why why_;
  uint64_t told_bytes_ = 0;     // to ClientMemory
  bool knew_password_ = false;  // at some time: replies of then may be under way
  uint64_t now_us_ = 0;
  struct Ran {
    const command::Spec* spec;
    command::Args args;
  };
  boost::container::static_vector<Ran, ingest::kAheadMax> ran_;  // and were not timed
  uint64_t turn_us_ = ~uint64_t{0} >> 1;
  Admission admission_;
  bool refused_ = false;  // the command that runs is one that has waited too long
  model::Priority served_ = model::Priority::kNormal;
};

}  // namespace sluice::server
