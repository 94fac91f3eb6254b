#include "cli/link.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

namespace sluice::cli {
namespace {

constexpr uint64_t kBackoffFirstMs = 50, kBackoffMostMs = 1'000;
constexpr int kTickMs = 200;  // how often a wait looks whether it should stop

}  // namespace

Status Link::Open() {
  return client_ != nullptr ? Ok() : Connect();
}

Status Link::Connect() {
  SLUICE_ASSIGN(std::unique_ptr<Client> client, Client::Connect(address_, clock_, kConnectMs));
  for (const Words& said : greeting_) {
    const std::vector<std::string_view> words(said.begin(), said.end());
    SLUICE_ASSIGN(const resp::Value reply, client->Call(words, kConnectMs));
    if (reply.is_error()) {
      const bool loading = reply.text.starts_with("LOADING");
      return Fail(loading ? Code::kUnavailable : Code::kInvalid, reply.text);
    }
  }
  client_ = std::move(client);
  return Ok();
}

Result<std::vector<resp::Value>> Link::Ask(std::span<const Words> commands) {
  std::vector<resp::Value> replies;
  const uint64_t begun_ms = clock_.MonotonicUs() / 1000;
  uint64_t backoff_ms = kBackoffFirstMs;
  while (replies.size() < commands.size()) {
    const size_t before = replies.size();
    Status status = Open();
    if (status.ok()) status = Exchange(commands.subspan(before), &replies);
    if (status.ok()) continue;
    if (status.error().code == Code::kInvalid) return Fail(status.error());
    client_.reset();
    if (*stop_ != 0) return Fail(Code::kUnavailable, "stopped");
    if (clock_.MonotonicUs() / 1000 - begun_ms > kPatienceMs) return Fail(status.error());
    say_(fmt::format("{}: {}; connecting again", address_.text(), status.error().message));
    poll(nullptr, 0, static_cast<int>(backoff_ms));
    backoff_ms =
        replies.size() > before ? kBackoffFirstMs : std::min(2 * backoff_ms, kBackoffMostMs);
  }
  return replies;
}

Result<resp::Value> Link::Ask(const Words& command) {
  SLUICE_ASSIGN(std::vector<resp::Value> replies, Ask(std::span(&command, 1)));
  return std::move(replies[0]);
}

Status Link::Exchange(std::span<const Words> commands, std::vector<resp::Value>* replies) {
  for (const Words& words : commands) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    AppendRequest(client_->out(), views);
  }
  uint64_t heard_ms = clock_.MonotonicUs() / 1000;
  for (size_t missing = commands.size(); missing > 0;) {
    SLUICE_TRY(client_->Write());
    SLUICE_TRY(client_->Read());
    resp::Value reply;
    SLUICE_ASSIGN(bool whole, client_->Next(&reply));
    const uint64_t now_ms = clock_.MonotonicUs() / 1000;
    if (whole) heard_ms = now_ms;
    while (whole) {
      replies->push_back(std::exchange(reply, {}));
      if (--missing == 0) break;
      SLUICE_ASSIGN(whole, client_->Next(&reply));
    }
    if (now_ms - heard_ms > kPatienceMs) return Fail(Code::kIo, "no answer");
    const auto events = static_cast<short>(client_->unsent() > 0 ? POLLIN | POLLOUT : POLLIN);
    pollfd waiting{.fd = client_->fd(), .events = events, .revents = 0};
    if (missing > 0) poll(&waiting, 1, kTickMs);
  }
  return Ok();
}

}  // namespace sluice::cli
