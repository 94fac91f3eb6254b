// LaneServer: the thread of one lane: waits for sockets, runs the lane's turns, sends what may
// leave.
//
//   Run()    turns until a stop was asked for and every lane has answered what it had read, or the
//   log
//            failed.
//   Wake()   ends the thread's sleep: another lane sent something, the log moved on, a stop was
//   asked.
//
// The lane with a listener accepts and hands newcomers to the lanes in turn. A client that is
// behind is read no further; a lane that is behind (Lane::Crowded) reads nobody until it has caught
// up. An idle lane sleeps until its next tick. Who is served first is Connections' affair.
//
// Owns:     the sockets of its connections. Borrows the lane.
// Threads:  Run on a thread of its own; Wake from any; the rest before Run.
// Failure:  a socket that fails is closed; nothing else is touched.
// Bounds:   kReadBytesMax of a socket in a turn; kDrainMsMax for clients that do not read while
//           stopping.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "env/linux/loop.h"
#include "env/linux/socket.h"
#include "ingest/lane.h"
#include "server/connections.h"
#include "server/context.h"

namespace sluice::server {

inline constexpr uint64_t kDrainMsMax = 5'000;  // then unsent replies are given up
inline constexpr int kKeepaliveS = 300;

class LaneServer;

// What the lane servers of a node share.
struct Front {
  std::vector<LaneServer*> servers;  // by lane; filled in before the first Run
  std::atomic<bool> stopping{false};
  std::atomic<size_t> drained{0};  // lanes that have answered all that they had read

  // Asks for a clean stop, from any thread.
  void Stop();
};

class LaneServer {
 public:
  // `listener`: on one lane only; null on the others.
  static Result<std::unique_ptr<LaneServer>> Open(Context& context, Front& front,
                                                  ingest::Lane& lane,
                                                  std::unique_ptr<env::Listener> listener);
  ~LaneServer();

  void Run();
  void Wake() { loop_->Notify(); }

  Connections& connections() { return connections_; }

 private:
  // A connection's socket, in the same place as its session.
  struct Socket {
    env::Fd fd;
    uint64_t connection = 0;
    bool ended = false;          // the client sends no more: read to the end
    bool waits_for_log = false;  // in held_ or held_critical_
    bool rests = false;          // in rested_
    bool full = false;           // the kernel takes no more: wait until there is room
  };

  // A socket whose session has ended with an answer. What comes is thrown away, so that the client
  // gets to read it: closed with bytes unread, it would be told of a reset instead.
  struct Lingering {
    env::Fd fd;
    uint64_t until_us = 0;
  };

  LaneServer(Context& context, Front& front, ingest::Lane& lane, std::unique_ptr<env::Loop> loop,
             std::unique_ptr<env::Listener> listener);

  int64_t SleepUs();
  void Turn();
  void ServeLines();
  void MaybeTick();
  void HandleReady(const env::Ready& ready);
  void Accept();
  void HandOut(env::Fd fd);
  void Adopt(env::Fd fd);
  // Whether there may be more to read.
  bool Read(Socket& socket, size_t bytes_max);
  void Rest(Socket& socket);
  void WakeRested();
  // Sends what may leave; closes what is finished.
  void Serve(uint64_t connection);
  bool Send(Socket& socket);
  void ServeHeld(std::vector<uint64_t>& held);
  void SendCritical();
  void Close(Socket& socket) { Forget(socket); }
  // Closes it when the client has, or some time later.
  void Linger(Socket& socket);
  void ThrowAway(uint64_t now_us);
  // Ends the session.
  env::Fd Forget(Socket& socket);
  Socket* Find(uint64_t connection);
  void BeginDrain();
  bool DrainIsOver();
  void StopAccepting();

  Context& context_;
  Front& front_;
  ingest::Lane& lane_;
  Connections connections_;
  std::unique_ptr<env::Loop> loop_;
  std::unique_ptr<env::Listener> listener_;
  std::vector<std::unique_ptr<Socket>> sockets_;  // by place of the connection
  std::vector<env::Ready> ready_;
  Connections::Hooks hooks_;
  std::vector<uint64_t> touched_, serving_;
  std::vector<uint64_t> held_, held_critical_;  // replies wait for the log
  model::Lsn sent_durable_;  // what was durable when critical replies were sent last
  // Readable, but the lane was crowded, or clients' memory full.
  std::vector<uint64_t> rested_, waking_;
  std::vector<Lingering> lingering_;
  std::unique_ptr<char[]> read_buffer_;
  size_t next_lane_ = 0;
  bool crowded_ = false;
  bool accept_paused_ = false;  // the kernel had no room for a newcomer
  bool draining_ = false, drained_ = false, failed_ = false;
  uint64_t ticks_ = 0, next_tick_us_ = 0, drain_deadline_us_ = 0;
};

}  // namespace sluice::server
