#include "server/lane_server.h"

#include <algorithm>

#include "base/check.h"
#include "base/log_line.h"
#include "env/linux/clock.h"

namespace sluice::server {
namespace {

constexpr uint64_t kListenerTag = ~uint64_t{0} - 1;
constexpr int kAcceptsPerTurn = 64;
constexpr int64_t kCrowdedPauseUs = 500;   // other lanes say nothing when they have caught up
constexpr int64_t kAsidePauseUs = 1'000;   // connections wait for units of the budget
constexpr uint64_t kTicksPerRelease = 10;  // looks for idle connections
constexpr size_t kSendsPerTurn = 4;        // of one socket
constexpr uint64_t kLingerUs = 2'000'000;
constexpr size_t kLingeringMax = 64;              // more are closed at once
constexpr size_t kThrownAwayBytesMax = 16 << 20;  // of all of them, a tick
constexpr std::string_view kTooMany = "-ERR max number of clients reached\r\n";

size_t PlaceOf(uint64_t connection) {
  return connection & Connections::kPlaceMask;
}

}  // namespace

void Front::Stop() {
  stopping.store(true, std::memory_order_release);
  for (LaneServer* server : servers) server->Wake();
}

Result<std::unique_ptr<LaneServer>> LaneServer::Open(Context& context, Front& front,
                                                     ingest::Lane& lane,
                                                     std::unique_ptr<env::Listener> listener) {
  SLUICE_ASSIGN(std::unique_ptr<env::Loop> loop, env::Loop::Open());
  if (listener) SLUICE_TRY(loop->Add(listener->fd(), kListenerTag, env::Interest::kRead));
  return std::unique_ptr<LaneServer>(
      new LaneServer(context, front, lane, std::move(loop), std::move(listener)));
}

LaneServer::LaneServer(Context& context, Front& front, ingest::Lane& lane,
                       std::unique_ptr<env::Loop> loop, std::unique_ptr<env::Listener> listener)
    : context_(context),
      front_(front),
      lane_(lane),
      connections_(context, lane),
      loop_(std::move(loop)),
      listener_(std::move(listener)),
      read_buffer_(std::make_unique<char[]>(kReadBytesMax)) {
  hooks_.read = [this](uint64_t connection, size_t bytes_max) {
    Socket* socket = Find(connection);
    return socket != nullptr && Read(*socket, bytes_max);
  };
  hooks_.between = [this] { SendCritical(); };
  lane.Serve(&connections_);
}

LaneServer::~LaneServer() = default;

void LaneServer::Run() {
  const auto over = [this] {
    return drained_ && front_.drained.load(std::memory_order_acquire) == front_.servers.size();
  };
  while (!over()) {
    loop_->Poll(SleepUs(), &ready_);
    Turn();
    if (!draining_ && front_.stopping.load(std::memory_order_acquire)) BeginDrain();
    if (draining_ && !drained_ && DrainIsOver()) {
      drained_ = true;
      // The lanes serve each other until the last of them has nothing left to ask.
      front_.drained.fetch_add(1, std::memory_order_acq_rel);
      for (LaneServer* server : front_.servers) server->Wake();
    }
  }
}

int64_t LaneServer::SleepUs() {
  if (lane_.Busy() || (connections_.WantsTurn() && !crowded_)) return 0;
  const uint64_t now_us = context_.clock.MonotonicUs();
  if (now_us >= next_tick_us_) return 0;
  const auto to_tick = static_cast<int64_t>(next_tick_us_ - now_us);
  if (crowded_ || !rested_.empty()) return std::min(to_tick, kCrowdedPauseUs);
  return connections_.Aside() ? std::min(to_tick, kAsidePauseUs) : to_tick;
}

void LaneServer::Turn() {
  log::Committer& committer = *context_.node.committer;
  lane_.BeginTurn(context_.clock.WallMs(), context_.clock.MonotonicUs());
  connections_.BeginTurn();
  const bool crowded = lane_.Crowded();
  if (crowded && !crowded_) connections_.meters().crowded_turns.Add();
  crowded_ = crowded;
  if (!crowded_) WakeRested();
  for (const env::Ready& ready : ready_) HandleReady(ready);
  if (!crowded_) ServeLines();
  MaybeTick();
  connections_.SealTurn(lane_.EndTurn());
  if (committer.failed() && !failed_) {
    failed_ = true;
    connections_.FailWaiting();
    front_.Stop();
  }
  connections_.EndLargest();
  ServeHeld(held_critical_);
  ServeHeld(held_);
  connections_.TakeTouched(&touched_);
  for (const uint64_t connection : touched_) Serve(connection);
}

void LaneServer::ServeHeld(std::vector<uint64_t>& held) {
  serving_.swap(held);
  for (const uint64_t connection : serving_) {
    if (Socket* socket = Find(connection)) socket->waits_for_log = false;
  }
  for (const uint64_t connection : serving_) Serve(connection);
  serving_.clear();
}

// The log's sync is shorter than a turn under load: critical replies need not wait for its end.
void LaneServer::SendCritical() {
  const model::Lsn durable = context_.node.committer->durable();
  if (held_critical_.empty() || durable == sent_durable_) return;
  sent_durable_ = durable;
  ServeHeld(held_critical_);
}

void LaneServer::ServeLines() {
  connections_.Serve(hooks_);
  if (!connections_.critical() || !connections_.WantsTurn()) return;
  loop_->Poll(0, &ready_);
  for (const env::Ready& ready : ready_) HandleReady(ready);
  connections_.ServeLate(hooks_);
}

void LaneServer::MaybeTick() {
  const uint64_t now_us = context_.clock.MonotonicUs();
  if (now_us < next_tick_us_) return;
  next_tick_us_ = now_us + ingest::kTickMs * 1000;
  lane_.Tick(env::ThreadCpuUs());
  connections_.Tick();
  ThrowAway(now_us);
  if (++ticks_ % kTicksPerRelease == 0) connections_.ReleaseIdle();
  if (accept_paused_ && listener_) {
    accept_paused_ = false;
    loop_->Modify(listener_->fd(), kListenerTag, env::Interest::kRead);
  }
}

void LaneServer::HandleReady(const env::Ready& ready) {
  if (ready.tag == kListenerTag) return Accept();
  Socket* socket = Find(ready.tag);
  if (socket == nullptr) return;
  socket->ended = socket->ended || ready.ended;
  if (socket->full && (ready.writable || ready.broken)) {
    socket->full = false;
    connections_.Touch(ready.tag);
  }
  // What came before the break is read, unless it would have to wait.
  if (ready.broken && !connections_.Find(ready.tag)->WantsInput()) {
    Close(*socket);
  } else if (ready.readable || ready.ended) {
    crowded_ ? Rest(*socket) : connections_.Ready(ready.tag);
  }
}

void LaneServer::Accept() {
  for (int i = 0; i < kAcceptsPerTurn && listener_; ++i) {
    env::Fd fd;
    switch (listener_->Accept(&fd)) {
      case env::Listener::Accepted::kOne:
        HandOut(std::move(fd));
        break;
      case env::Listener::Accepted::kTurnedOff:
        break;
      case env::Listener::Accepted::kNone:
        return;
      case env::Listener::Accepted::kExhausted:
        // Level-triggered, it would be reported again at once. The next tick asks again.
        loop_->Modify(listener_->fd(), kListenerTag, env::Interest::kNone);
        accept_paused_ = true;
        return;
    }
  }
}

void LaneServer::HandOut(env::Fd fd) {
  if (context_.clients.load() >= context_.clients_max.load()) {
    connections_.meters().turned_off.Add();
    LogWarning("server", "maxclients is reached: a connection was refused",
               {{"peer", env::PeerAddress(fd.get())}, {"maxclients", context_.clients_max.load()}});
    env::WriteSome(fd.get(), kTooMany);
    return;
  }
  context_.clients.fetch_add(1);
  const size_t lane = next_lane_++ % front_.servers.size();
  if (front_.servers[lane] == this) return Adopt(std::move(fd));
  // A task must be copyable.
  const auto passed = std::make_shared<env::Fd>(std::move(fd));
  LaneServer* server = front_.servers[lane];
  context_.node.fabric.Post(model::LaneId(static_cast<uint16_t>(lane)),
                            [server, passed](ingest::Lane&) { server->Adopt(std::move(*passed)); });
}

void LaneServer::Adopt(env::Fd fd) {
  env::TuneConnection(fd.get(), kKeepaliveS);
  const uint64_t connection =
      connections_.Open(env::PeerAddress(fd.get()), env::LocalAddress(fd.get()));
  auto socket = std::make_unique<Socket>();
  const Status watched =
      loop_->Add(fd.get(), connection, env::Interest::kReadWrite, env::Report::kNews);
  if (!watched.ok() || draining_) {
    if (!watched.ok()) {
      LogWarning("server", "a connection could not be watched",
                 {{"error", watched.error().message}});
    }
    connections_.Close(connection);
    context_.clients.fetch_sub(1);
    return;
  }
  socket->fd = std::move(fd);
  socket->connection = connection;
  const size_t place = PlaceOf(connection);
  if (place >= sockets_.size()) sockets_.resize(place + 1);
  sockets_[place] = std::move(socket);
}

LaneServer::Socket* LaneServer::Find(uint64_t connection) {
  const size_t place = PlaceOf(connection);
  if (place >= sockets_.size() || !sockets_[place]) return nullptr;
  Socket& socket = *sockets_[place];
  return socket.connection == connection ? &socket : nullptr;
}

bool LaneServer::Read(Socket& socket, size_t bytes_max) {
  if (context_.client_memory.Full()) {
    Rest(socket);
    return false;
  }
  const bool ended = socket.ended;
  const env::Transfer read = env::ReadSome(socket.fd.get(), read_buffer_.get(), bytes_max);
  switch (read.result) {
    case env::IoResult::kDone:
      connections_.Feed(socket.connection, {read_buffer_.get(), read.bytes});
      return read.bytes == bytes_max || ended;
    case env::IoResult::kAgain:
      break;
    case env::IoResult::kClosed:
      connections_.EndInput(socket.connection);
      break;
    case env::IoResult::kFailed:
      Close(socket);
      break;
  }
  return false;
}

// It has something to read, and is left unread for now.
void LaneServer::Rest(Socket& socket) {
  if (socket.rests) return;
  socket.rests = true;
  rested_.push_back(socket.connection);
}

void LaneServer::WakeRested() {
  waking_.swap(rested_);
  for (const uint64_t connection : waking_) {
    Socket* socket = Find(connection);
    if (socket == nullptr) continue;
    socket->rests = false;
    connections_.Touch(connection);
    connections_.Ready(connection);
  }
  waking_.clear();
}

void LaneServer::Serve(uint64_t connection) {
  Socket* socket = Find(connection);
  if (socket == nullptr) return;
  Session* session = connections_.Find(connection);
  if (session->dead() || !Send(*socket)) return Close(*socket);
  if (session->Finished()) return session->lingers() ? Linger(*socket) : Close(*socket);
  if (session->HasOutput() && !socket->full && !socket->waits_for_log) {
    socket->waits_for_log = true;
    const bool critical = session->served() == model::Priority::kCritical;
    (critical ? held_critical_ : held_).push_back(connection);
  }
}

// False when the socket is broken.
bool LaneServer::Send(Socket& socket) {
  const model::Lsn durable = context_.node.committer->durable();
  for (size_t i = 0; i < kSendsPerTurn && !socket.full; ++i) {
    const std::string_view bytes = connections_.Output(socket.connection, durable);
    if (bytes.empty()) return true;
    const env::Transfer sent = env::WriteSome(socket.fd.get(), bytes);
    if (sent.result == env::IoResult::kFailed || sent.result == env::IoResult::kClosed)
      return false;
    socket.full = sent.result == env::IoResult::kAgain || sent.bytes < bytes.size();
    if (sent.bytes > 0) connections_.Sent(socket.connection, sent.bytes);
  }
  return true;
}

env::Fd LaneServer::Forget(Socket& socket) {
  const size_t place = PlaceOf(socket.connection);
  loop_->Remove(socket.fd.get());
  connections_.Close(socket.connection);
  context_.clients.fetch_sub(1);
  env::Fd fd = std::move(socket.fd);
  sockets_[place].reset();
  return fd;
}

void LaneServer::Linger(Socket& socket) {
  env::Fd fd = Forget(socket);
  if (lingering_.size() >= kLingeringMax || draining_) return;
  env::FinishWrites(fd.get());
  lingering_.push_back({std::move(fd), context_.clock.MonotonicUs() + kLingerUs});
}

void LaneServer::ThrowAway(uint64_t now_us) {
  size_t left = kThrownAwayBytesMax;
  std::erase_if(lingering_, [&](const Lingering& one) {
    if (now_us >= one.until_us) return true;
    while (left > 0) {
      const env::Transfer read = env::ReadSome(one.fd.get(), read_buffer_.get(), kReadBytesMax);
      if (read.result == env::IoResult::kAgain) return false;
      if (read.result != env::IoResult::kDone) return true;
      left -= std::min(left, read.bytes);
    }
    return false;
  });
}

void LaneServer::StopAccepting() {
  if (!listener_) return;
  loop_->Remove(listener_->fd());
  listener_.reset();
}

void LaneServer::BeginDrain() {
  draining_ = true;
  drain_deadline_us_ = context_.clock.MonotonicUs() + kDrainMsMax * 1000;
  StopAccepting();
  connections_.ForEach([](Session& session) { session.EndInput(); });
  Wake();  // the next turn closes those that have nothing under way
}

bool LaneServer::DrainIsOver() {
  if (connections_.size() == 0) return true;
  if (context_.clock.MonotonicUs() < drain_deadline_us_) return false;
  LogWarning("server", "clients that did not read their replies were cut off while stopping",
             {{"lane", lane_.id().value}, {"connections", connections_.size()}});
  for (const auto& socket : sockets_) {
    if (socket) Close(*socket);
  }
  return true;
}

}  // namespace sluice::server
