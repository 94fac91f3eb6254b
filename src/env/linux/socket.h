// TCP sockets that never block: listening, accepting, connecting, reading and writing.
//
// Addresses are text, "host:port" with brackets around IPv6: "127.0.0.1:7379", "[::1]:0". A host of
// "*" or nothing means every address. A name that has both kinds of address means its IPv4 one.
//
// Threads:  one thread at a time per object; the free functions from any.
// Failure:  kInvalid for an address that cannot be understood, kConflict for one already taken,
//           kIo for the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace sluice::env {

// Owns one descriptor and closes it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    other.Close();
    return *this;
  }
  ~Fd() { Close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close();

 private:
  int fd_ = -1;
};

enum class IoResult : uint8_t {
  kDone,    // `bytes` were moved, at least one
  kAgain,   // nothing moved: the socket is not ready
  kClosed,  // the peer closed in order (reads only)
  kFailed,  // reset, timed out or broken: nothing more will move; close it
};
struct Transfer {
  IoResult result;
  size_t bytes = 0;
};

// Spans that one WriteSpans takes at most; those beyond wait for the next call.
inline constexpr size_t kSpansMax = 64;

// Reads what is there, up to `size`. Requires: size > 0.
Transfer ReadSome(int fd, char* to, size_t size);

// Writes as much as the kernel takes now, the spans one after the other. A peer that is gone raises
// no signal. Requires: at least one byte.
Transfer WriteSome(int fd, std::string_view bytes);
Transfer WriteSpans(int fd, std::span<const std::string_view> spans);

// Says that nothing more will be written, so that the peer reads all of it and then the end.
void FinishWrites(int fd);

// Small replies leave at once (TCP_NODELAY), and a dead peer is found after about `keepalive_s`
// of silence (0: never). Failing to set either is harmless and ignored.
void TuneConnection(int fd, int keepalive_s);

// "127.0.0.1:50112" or "[::1]:50112"; "?" when it cannot be told. A v4 address in v6 clothes is
// shown as v4.
std::string PeerAddress(int fd);
std::string LocalAddress(int fd);

// A connected socket that does not block. Waits at most `timeout_ms`.
Result<Fd> Connect(const std::string& address, int timeout_ms);

// Connections that wait to be accepted; the kernel turns those beyond away, and they try again.
inline constexpr int kBacklogUsual = 511;

class Listener {
 public:
  // Listens at `address` (port 0: a free one). SO_REUSEADDR is set, so a restart need not wait for
  // old connections to fade.
  static Result<std::unique_ptr<Listener>> Open(const std::string& address,
                                                int backlog = kBacklogUsual);

  int fd() const { return socket_.get(); }
  // Where it listens, with the true port.
  const std::string& address() const { return address_; }
  uint16_t port() const;

  enum class Accepted : uint8_t {
    kOne,        // `*connection` is a new connection, not blocking
    kNone,       // nobody waits
    kTurnedOff,  // no descriptor was free: the newcomer was closed, and a line logged
    kExhausted,  // not even that could be done: stop asking for some 100 ms, or the loop spins
  };
  Accepted Accept(Fd* connection);

  // Gives the listening socket away; the object is of no use afterwards.
  Fd Release() { return std::move(socket_); }

 private:
  Listener(Fd socket, Fd reserve);
  Accepted TurnOff();

  Fd socket_;
  Fd reserve_;  // given up for a moment to accept and close a newcomer when no descriptor is free
  std::string address_;
};

}  // namespace sluice::env
