#include "env/linux/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/log_line.h"

namespace sluice::env {
namespace {

constexpr int kKeepaliveProbes = 3;
constexpr int kAcceptAttemptsMax = 64;  // newcomers gone before they were accepted, in one call

Fd OpenReserve() {
  return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

Failure SystemFailure(std::string_view what) {
  const int error = errno;
  const Code code = error == EADDRINUSE ? Code::kConflict : Code::kIo;
  return Fail(code, fmt::format("{}: {}", what, std::strerror(error)));
}

struct AddressList {
  addrinfo* first = nullptr;
  AddressList() = default;
  AddressList(AddressList&& other) noexcept : first(std::exchange(other.first, nullptr)) {}
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

// "host:port" in two pieces, brackets taken off.
Result<std::pair<std::string, std::string>> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) {
    return Fail(Code::kInvalid, fmt::format("\"{}\" is not host:port", address));
  }
  std::string host = address.substr(0, colon);
  std::string port = address.substr(colon + 1);
  const bool digits =
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || port.size() > 5 || std::stoi(port) > 65535) {
    return Fail(Code::kInvalid, fmt::format("\"{}\": the port must be 0 to 65535", address));
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return Fail(Code::kInvalid, fmt::format("\"{}\": write IPv6 as [address]:port", address));
  }
  return std::pair{host == "*" ? std::string() : host, port};
}

Result<AddressList> Resolve(const std::string& address, int flags) {
  SLUICE_ASSIGN(const auto host_port, SplitAddress(address));
  const auto& [host, port] = host_port;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  const char* node = host.empty() ? nullptr : host.c_str();
  AddressList list;
  // One address is used, so the kind that clients try most is asked for first.
  for (const int family : {AF_INET, AF_INET6}) {
    hints.ai_family = family;
    const int error = getaddrinfo(node, port.c_str(), &hints, &list.first);
    if (error == 0) return list;
    if (family == AF_INET6) {
      return Fail(Code::kInvalid, fmt::format("\"{}\": {}", address, gai_strerror(error)));
    }
  }
  return list;
}

std::string AddressText(const sockaddr_storage& storage) {
  char text[NI_MAXHOST] = "";
  const auto* any = reinterpret_cast<const sockaddr*>(&storage);
  const socklen_t size = storage.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  char port[NI_MAXSERV] = "";
  if (getnameinfo(any, size, text, sizeof text, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const std::string_view host = text;
  if (storage.ss_family == AF_INET) return fmt::format("{}:{}", host, port);
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped) && host.find('.') != std::string_view::npos) {
    return fmt::format("{}:{}", host.substr(kMapped.size()), port);
  }
  return fmt::format("[{}]:{}", host, port);
}

template <class Call>
Transfer Move(Call call) {
  for (;;) {
    const ssize_t moved = call();
    if (moved > 0) return {IoResult::kDone, static_cast<size_t>(moved)};
    if (moved == 0) return {IoResult::kClosed};
    if (errno == EINTR) continue;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? IoResult::kAgain : IoResult::kFailed};
  }
}

Status FinishConnect(int fd, const std::string& address, int timeout_ms) {
  pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
  int ready;
  do {
    ready = poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return Fail(Code::kIo, fmt::format("connect {}: timed out", address));
  socklen_t size = sizeof errno;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errno, &size) != 0 || errno != 0) {
    return SystemFailure("connect " + address);
  }
  return Ok();
}

}  // namespace

void Fd::Close() {
  // A retry after EINTR could close a descriptor that another thread just got.
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Transfer ReadSome(int fd, char* to, size_t size) {
  SLUICE_CHECK(size > 0);
  return Move([&] { return recv(fd, to, size, 0); });
}

Transfer WriteSome(int fd, std::string_view bytes) {
  SLUICE_CHECK(!bytes.empty());
  return Move([&] { return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
}

Transfer WriteSpans(int fd, std::span<const std::string_view> spans) {
  iovec pieces[kSpansMax];
  msghdr message{};
  message.msg_iov = pieces;
  size_t bytes = 0;
  for (const std::string_view span : spans.first(std::min(spans.size(), kSpansMax))) {
    pieces[message.msg_iovlen++] = {const_cast<char*>(span.data()), span.size()};
    bytes += span.size();
  }
  SLUICE_CHECK(bytes > 0);
  return Move([&] { return sendmsg(fd, &message, MSG_NOSIGNAL); });
}

void FinishWrites(int fd) {
  shutdown(fd, SHUT_WR);
}

void TuneConnection(int fd, int keepalive_s) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (keepalive_s <= 0) return;
  const int interval = std::max(1, keepalive_s / kKeepaliveProbes);
  const int probes = kKeepaliveProbes;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof keepalive_s);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

std::string PeerAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "?";
  return AddressText(storage);
}

std::string LocalAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "?";
  return AddressText(storage);
}

Result<Fd> Connect(const std::string& address, int timeout_ms) {
  SLUICE_ASSIGN(const AddressList list, Resolve(address, 0));
  const addrinfo& target = *list.first;
  Fd fd(socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.open()) return SystemFailure("socket");
  if (connect(fd.get(), target.ai_addr, target.ai_addrlen) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) return SystemFailure("connect " + address);
    SLUICE_TRY(FinishConnect(fd.get(), address, timeout_ms));
  }
  return fd;
}

Result<std::unique_ptr<Listener>> Listener::Open(const std::string& address, int backlog) {
  SLUICE_ASSIGN(const AddressList list, Resolve(address, AI_PASSIVE));
  const addrinfo& target = *list.first;
  Fd fd(socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.open()) return SystemFailure("socket");
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), target.ai_addr, target.ai_addrlen) != 0 || listen(fd.get(), backlog) != 0) {
    return SystemFailure("listen at " + address);
  }
  Fd reserve = OpenReserve();
  if (!reserve.open()) return SystemFailure("/dev/null");
  return std::unique_ptr<Listener>(new Listener(std::move(fd), std::move(reserve)));
}

Listener::Listener(Fd socket, Fd reserve)
    : socket_(std::move(socket)),
      reserve_(std::move(reserve)),
      address_(LocalAddress(socket_.get())) {}

uint16_t Listener::port() const {
  // A bound socket knows its address, so the text ends in the port.
  return static_cast<uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1)));
}

Listener::Accepted Listener::Accept(Fd* connection) {
  for (int attempt = 0; attempt < kAcceptAttemptsMax; ++attempt) {
    const int fd = accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      *connection = Fd(fd);
      return Accepted::kOne;
    }
    SLUICE_CHECK_MSG(errno != EBADF && errno != EINVAL && errno != ENOTSOCK, std::strerror(errno));
    if (errno == EAGAIN) return Accepted::kNone;
    if (errno == EMFILE || errno == ENFILE) return TurnOff();
    if (errno == ENOBUFS || errno == ENOMEM) return Accepted::kExhausted;
    // Anything else is about this newcomer, who is gone; the next one may be fine.
  }
  return Accepted::kExhausted;
}

// Without a descriptor the newcomer could neither be served nor told, and would stay in the
// backlog, so that a level-triggered loop would spin. The reserve makes room to close it.
Listener::Accepted Listener::TurnOff() {
  const int error = errno;
  reserve_.Close();
  Accepted answer = Accepted::kTurnedOff;
  {
    const Fd newcomer(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    // Linux looks for a free descriptor before it looks whether anybody waits.
    if (!newcomer.open()) answer = errno == EAGAIN ? Accepted::kNone : Accepted::kExhausted;
  }
  reserve_ = OpenReserve();
  if (answer != Accepted::kNone) {
    LogWarning("env", "no file descriptor is free: connections are turned off; raise ulimit -n",
               {{"listen", address_}, {"error", std::strerror(error)}});
  }
  return answer;
}

}  // namespace sluice::env
