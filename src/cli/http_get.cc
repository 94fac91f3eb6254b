#include "cli/http_get.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "base/number.h"
#include "env/linux/socket.h"

namespace sluice::cli {
namespace {

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j <= bytes.size() ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

Failure NotThere(const Address& address, std::string_view why) {
  return Fail(Code::kIo, fmt::format("{} does not answer in HTTP: {}", address.text(), why));
}

// The node ends the connection behind its answer, as it was asked to.
Result<std::string> Exchange(int fd, std::string_view request, const Address& address,
                             env::Clock& clock, uint64_t until_us) {
  std::string answer;
  char bytes[64 << 10];
  while (true) {
    const uint64_t now_us = clock.MonotonicUs();
    pollfd waiting{fd, static_cast<short>(request.empty() ? POLLIN : POLLOUT), 0};
    const auto left_ms = now_us >= until_us ? 0 : static_cast<int>((until_us - now_us) / 1'000);
    if (left_ms == 0 || ::poll(&waiting, 1, left_ms) <= 0)
      return NotThere(address, "it takes long");
    const ssize_t moved = request.empty()
                              ? ::recv(fd, bytes, sizeof bytes, 0)
                              : ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (moved < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (moved < 0) return NotThere(address, "the connection broke");
    if (!request.empty()) {
      request.remove_prefix(static_cast<size_t>(moved));
    } else if (moved == 0) {
      return answer;
    } else {
      answer.append(bytes, static_cast<size_t>(moved));
      if (answer.size() > kPageBytesMax) return NotThere(address, "the answer is too long");
    }
  }
}

// What a page that is not to be had says: {"error": …} or a line.
std::string Reason(const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (parsed.is_object() && parsed.contains("error") && parsed["error"].is_string()) {
    return parsed["error"].get<std::string>();
  }
  return body.substr(0, body.find('\n'));
}

}  // namespace

Result<std::string> HttpGet(const Address& address, std::string_view target, env::Clock& clock,
                            int timeout_ms) {
  SLUICE_ASSIGN(const env::Fd socket, env::Connect(address.text(), timeout_ms));
  std::string request = fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n", target, address.text());
  if (!address.user.empty() || !address.password.empty()) {
    request +=
        fmt::format("Authorization: Basic {}\r\n", Base64(address.user + ":" + address.password));
  }
  request += "\r\n";
  const uint64_t until_us = clock.MonotonicUs() + static_cast<uint64_t>(timeout_ms) * 1'000;
  SLUICE_ASSIGN(const std::string answer,
                Exchange(socket.get(), request, address, clock, until_us));
  const size_t head = answer.find("\r\n\r\n");
  int64_t status = 0;
  if (!answer.starts_with("HTTP/1.") || head == std::string::npos ||
      !ParseInt(std::string_view(answer).substr(9, 3), &status)) {
    return NotThere(address, "that is something else");
  }
  std::string body = answer.substr(head + 4);
  if (status == 200) return body;
  return Fail(Code::kInvalid,
              fmt::format("{} answers {}: {}", address.text(), status, Reason(body)));
}

}  // namespace sluice::cli
