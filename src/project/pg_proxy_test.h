// A proxy between a sink and PostgreSQL that counts what passes, in either direction, and at a
// count cuts all connections, or holds back what the client sent.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "env/linux/interrupt.h"
#include "env/linux/socket.h"

namespace sluice::project {

class PgProxy {
 public:
  static constexpr uint64_t kNever = ~uint64_t{0};

  explicit PgProxy(uint16_t server)
      : server_(server), listener_(std::move(*env::Listener::Open("127.0.0.1:0"))) {
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~PgProxy() {
    stop_ = true;
    acceptor_.join();
    for (std::thread& pump : pumps_) pump.join();
  }

  uint16_t port() const { return listener_->port(); }
  // All connections end when so many pieces have passed, once.
  void CutAt(uint64_t pieces) { cut_at_ = pieces; }
  bool was_cut() const { return cut_at_ == kNever; }
  uint64_t passed() const { return passed_; }
  // The client's next piece that contains `text`, and all behind it, waits for Release.
  void Hold(std::string text) {
    const std::lock_guard lock(mutex_);
    hold_ = std::move(text);
  }
  void Release() { Hold(""); }

 private:
  static constexpr uint64_t kTickUs = 2'000;

  struct Link {
    env::Fd client, server;
    std::atomic<bool> cut{false};
  };

  void Accept() {
    const auto interrupt = std::move(*env::Interrupt::Open());
    while (!stop_) {
      interrupt->Wait(listener_->fd(), env::Interrupt::Until::kReadable, kTickUs);
      env::Fd client;
      if (listener_->Accept(&client) != env::Listener::Accepted::kOne) continue;
      auto server = env::Connect("127.0.0.1:" + std::to_string(server_), 2'000);
      if (!server.has_value()) continue;  // closing the client is all that can be said
      auto link = std::make_shared<Link>();
      link->client = std::move(client);
      link->server = *std::move(server);
      env::TuneConnection(link->client.get(), 0);
      env::TuneConnection(link->server.get(), 0);
      pumps_.emplace_back([this, link] { Pump(*link, true); });
      pumps_.emplace_back([this, link] { Pump(*link, false); });
    }
  }

  bool Held(std::string_view piece, bool* holding) {
    const std::lock_guard lock(mutex_);
    if (hold_.empty()) {
      *holding = false;
    } else if (piece.find(hold_) != std::string_view::npos) {
      *holding = true;
    }
    return *holding;
  }

  void Pump(Link& link, bool upward) {
    const auto interrupt = std::move(*env::Interrupt::Open());
    const int from = upward ? link.client.get() : link.server.get();
    const int to = upward ? link.server.get() : link.client.get();
    bool holding = false;
    char piece[1 << 16];
    while (!stop_ && !link.cut) {
      if (interrupt->Wait(from, env::Interrupt::Until::kReadable, kTickUs) !=
          env::Interrupt::Outcome::kReady) {
        continue;
      }
      const env::Transfer got = env::ReadSome(from, piece, sizeof piece);
      if (got.result == env::IoResult::kAgain) continue;
      if (got.result != env::IoResult::kDone) break;
      const std::string_view bytes(piece, got.bytes);
      while (upward && !stop_ && Held(bytes, &holding)) {
        interrupt->Wait(-1, env::Interrupt::Until::kReadable, kTickUs);
      }
      uint64_t at = ++passed_;
      if (cut_at_.compare_exchange_strong(at, kNever)) link.cut = true;
      if (!link.cut && !Send(to, bytes, *interrupt)) break;
    }
    // What was held has gone out by now; then each side hears of the other's end.
    link.cut = true;
    env::FinishWrites(to);
    if (!upward) env::FinishWrites(from);
  }

  bool Send(int to, std::string_view bytes, env::Interrupt& interrupt) {
    while (!bytes.empty() && !stop_) {
      const env::Transfer sent = env::WriteSome(to, bytes);
      if (sent.result == env::IoResult::kFailed) return false;
      bytes.remove_prefix(sent.bytes);
      if (sent.result == env::IoResult::kAgain) {
        interrupt.Wait(to, env::Interrupt::Until::kWritable, kTickUs);
      }
    }
    return true;
  }

  const uint16_t server_;
  const std::unique_ptr<env::Listener> listener_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> passed_{0};
  std::atomic<uint64_t> cut_at_{kNever};
  std::mutex mutex_;
  std::string hold_;
  std::thread acceptor_;
  std::vector<std::thread> pumps_;
};

}  // namespace sluice::project
