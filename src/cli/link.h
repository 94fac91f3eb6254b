// Link: a connection to a server that is made again when it breaks.
//
//   Ask()  sends commands together and waits for all replies; what a broken connection left open is
//          asked again.
//
// Owns:     the connection.
// Threads:  none.
// Failure:  kUnavailable  nobody answered for kPatienceMs, or it was told to stop.
//           kInvalid      the server refuses the login, or is none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/client.h"

namespace sluice::cli {

using Words = std::vector<std::string>;

class Link {
 public:
  static constexpr int kConnectMs = 2'000;          // for one attempt
  static constexpr uint64_t kPatienceMs = 120'000;  // without any answer

  // `greeting`: what is said first on each new connection; an error reply to it is kInvalid.
  Link(Address address, std::vector<Words> greeting, env::Clock& clock, const volatile int* stop,
       std::function<void(std::string)> say)
      : address_(std::move(address)),
        greeting_(std::move(greeting)),
        clock_(clock),
        stop_(stop),
        say_(std::move(say)) {}

  Status Open();
  Result<std::vector<resp::Value>> Ask(std::span<const Words> commands);
  Result<resp::Value> Ask(const Words& command);
  // The server does not know what it did: the next Ask begins with a new connection.
  void Drop() { client_.reset(); }

 private:
  Status Connect();
  Status Exchange(std::span<const Words> commands, std::vector<resp::Value>* replies);

  const Address address_;
  const std::vector<Words> greeting_;
  env::Clock& clock_;
  const volatile int* const stop_;
  const std::function<void(std::string)> say_;
  std::unique_ptr<Client> client_;
};

}  // namespace sluice::cli
