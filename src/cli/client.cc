#include "cli/client.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/number.h"

namespace sluice::cli {
namespace {

constexpr int64_t kDatabaseMax = 1'000'000;
constexpr size_t kOutKeep = 4 << 20;  // memory that an empty pipeline keeps

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False if a '%' is not followed by two hexadecimal digits.
bool Unescape(std::string_view text, std::string* to) {
  to->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      to->push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0)
      return false;
    to->push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
    i += 2;
  }
  return true;
}

bool TakeUser(std::string_view text, Address* address) {
  const size_t colon = text.find(':');
  if (!Unescape(text.substr(0, colon), &address->user)) return false;
  return colon == std::string_view::npos || Unescape(text.substr(colon + 1), &address->password);
}

bool TakeHost(std::string_view text, Address* address) {
  size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    colon = text.find(':', close);
    address->host = text.substr(1, close - 1);
    if (close + 1 != std::min(colon, text.size())) return false;
  } else {
    address->host = text.substr(0, colon);
  }
  if (address->host.empty()) return false;
  if (colon == std::string_view::npos) return true;
  int64_t port = 0;
  if (!ParseInt(text.substr(colon + 1), &port) || port < 1 || port > 65535) return false;
  address->port = static_cast<uint16_t>(port);
  return true;
}

}  // namespace

std::string Address::text() const {
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

Result<Address> ParseUrl(std::string_view url, uint16_t usual_port) {
  constexpr std::string_view kScheme = "redis://";
  const auto wrong = [] {
    return Fail(Code::kInvalid, "the URL must be redis://[user:password@]host[:port][/database]");
  };
  if (!url.starts_with(kScheme)) return wrong();
  url.remove_prefix(kScheme.size());
  Address address;
  address.port = usual_port;
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    if (!TakeUser(url.substr(0, at), &address)) return wrong();
    url.remove_prefix(at + 1);
  }
  if (const size_t slash = url.find('/'); slash != std::string_view::npos) {
    const std::string_view text = url.substr(slash + 1);
    int64_t database = 0;
    if (!text.empty() && (!ParseInt(text, &database) || database < 0 || database > kDatabaseMax)) {
      return wrong();
    }
    address.database = static_cast<int>(database);
    url = url.substr(0, slash);
  }
  if (!TakeHost(url, &address)) return wrong();
  return address;
}

void AppendRequest(std::string& to, std::span<const std::string_view> words) {
  fmt::format_to(std::back_inserter(to), "*{}\r\n", words.size());
  for (const std::string_view word : words) {
    fmt::format_to(std::back_inserter(to), "${}\r\n", word.size());
    to.append(word);
    to.append("\r\n");
  }
}

Result<std::unique_ptr<Client>> Client::Connect(const Address& address, env::Clock& clock,
                                                int timeout_ms, size_t read_bytes) {
  SLUICE_ASSIGN(env::Fd socket, env::Connect(address.text(), timeout_ms));
  env::TuneConnection(socket.get(), 60);
  std::unique_ptr<Client> client(new Client(std::move(socket), clock, read_bytes));
  std::vector<std::string_view> login = {"AUTH"};
  if (!address.user.empty()) login.push_back(address.user);
  if (login.size() > 1 || !address.password.empty()) {
    login.push_back(address.password);
    SLUICE_ASSIGN(const resp::Value reply, client->Call(login, timeout_ms));
    if (reply.is_error()) return Fail(Code::kInvalid, reply.text);
  }
  if (address.database != 0) {
    SLUICE_ASSIGN(const resp::Value reply,
                  client->Call({"SELECT", std::to_string(address.database)}, timeout_ms));
    if (reply.is_error()) return Fail(Code::kInvalid, reply.text);
  }
  return client;
}

Result<resp::Value> Client::Call(std::span<const std::string_view> words, int timeout_ms) {
  AppendRequest(out_, words);
  const uint64_t deadline_us = clock_.MonotonicUs() + uint64_t{1000} * timeout_ms;
  resp::Value reply;
  for (;;) {
    SLUICE_TRY(Write());
    SLUICE_TRY(Read());
    SLUICE_ASSIGN(const bool whole, Next(&reply));
    if (whole) return reply;
    const uint64_t now_us = clock_.MonotonicUs();
    if (now_us >= deadline_us) {
      return Fail(Code::kIo, fmt::format("no reply within {} ms", timeout_ms));
    }
    WaitReady(static_cast<int>((deadline_us - now_us) / 1000 + 1));
  }
}

void Client::WaitReady(int timeout_ms) {
  const auto events = static_cast<short>(unsent() > 0 ? POLLIN | POLLOUT : POLLIN);
  pollfd waiting{.fd = fd(), .events = events, .revents = 0};
  poll(&waiting, 1, timeout_ms);
}

Status Client::Write() {
  while (unsent() > 0) {
    const env::Transfer sent = env::WriteSome(fd(), std::string_view(out_).substr(sent_));
    if (sent.result == env::IoResult::kAgain) return Ok();
    if (sent.result != env::IoResult::kDone) return Fail(Code::kIo, "the connection broke");
    sent_ += sent.bytes;
  }
  sent_ = 0;
  if (out_.capacity() > kOutKeep) std::string().swap(out_);
  out_.clear();
  return Ok();
}

Status Client::Read() {
  // A reply longer than the buffer makes it grow, up to what the decoder takes for a string.
  if (in_begin_ > 0) std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
  in_end_ -= std::exchange(in_begin_, 0);
  if (in_end_ == in_.size()) in_.resize(2 * in_.size());
  const env::Transfer got = env::ReadSome(fd(), in_.data() + in_end_, in_.size() - in_end_);
  if (got.result == env::IoResult::kAgain) return Ok();
  if (got.result == env::IoResult::kClosed) {
    return Fail(Code::kIo, "the server closed the connection");
  }
  if (got.result != env::IoResult::kDone) return Fail(Code::kIo, "the connection broke");
  in_end_ += got.bytes;
  return Ok();
}

Result<bool> Client::Next(resp::Value* reply) {
  if (in_begin_ == in_end_) return false;
  size_t consumed = 0;
  const std::string_view received(in_.data() + in_begin_, in_end_ - in_begin_);
  const resp::Decoder::Got got = decoder_.Next(received, &consumed, reply);
  in_begin_ += consumed;
  if (got == resp::Decoder::Got::kError) {
    return Fail(Code::kIo, "what the server sends is not the Redis protocol");
  }
  return got == resp::Decoder::Got::kReply;
}

}  // namespace sluice::cli
