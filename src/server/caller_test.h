// Caller: a client over a real socket, for tests: it waits for what it asks for.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "env/linux/loop.h"
#include "env/linux/socket.h"

namespace sluice::server {

inline constexpr int kPatienceMs = 20'000;  // for what should take milliseconds

class Caller {
 public:
  explicit Caller(const std::string& address) {
    fd_ = env::Connect(address, kPatienceMs).value();
    loop_ = env::Loop::Open().value();
    SLUICE_CHECK(loop_->Add(fd_.get(), 1, env::Interest::kRead).ok());
  }
  // Sends all of it, reading meanwhile, so that neither side waits for the other.
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const env::Transfer sent = env::WriteSome(fd_.get(), bytes);
      if (sent.result == env::IoResult::kFailed) return;
      bytes.remove_prefix(sent.bytes);
      if (sent.result == env::IoResult::kAgain && !ReadMore(1)) return;
    }
  }
  // The next `size` bytes; fewer when the server closes before.
  std::string Receive(size_t size) {
    while (got_.size() < size && !ended_) ReadMore(kPatienceMs);
    const std::string taken = got_.substr(0, size);
    got_.erase(0, taken.size());
    return taken;
  }
  std::string Ask(std::string_view request, size_t size) {
    Send(request);
    return Receive(size);
  }
  // All until the server closes.
  std::string ReceiveAll() { return Receive(std::string::npos); }
  void FinishWrites() { env::FinishWrites(fd_.get()); }

 private:
  bool ReadMore(int patience_ms) {
    char bytes[64 << 10];
    const env::Transfer read = env::ReadSome(fd_.get(), bytes, sizeof bytes);
    if (read.result == env::IoResult::kDone) got_.append(bytes, read.bytes);
    ended_ = read.result == env::IoResult::kClosed || read.result == env::IoResult::kFailed;
    if (read.result != env::IoResult::kAgain) return !ended_;
    std::vector<env::Ready> ready;
    if (loop_->Poll(patience_ms * 1000, &ready) == 0 && patience_ms == kPatienceMs) {
      ADD_FAILURE() << "no reply in time";
      ended_ = true;
    }
    return !ended_;
  }

  env::Fd fd_;
  std::unique_ptr<env::Loop> loop_;
  std::string got_;
  bool ended_ = false;
};

}  // namespace sluice::server
