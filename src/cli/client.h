// Client: one connection to a running server, for commands one at a time or for a pipeline.
//
//   Call()                   sends one command and waits for its reply.
//   out(), Write(), Read(), Next()   a pipeline, without ever waiting: append requests to out(),
//   let
//                            Write() send and Read() receive what the socket takes and has, and
//                            take the replies with Next() in the order of the requests.
//
// Owns:     the socket and what is on its way through it.
// Threads:  none.
// Failure:  after kIo the connection is gone, and what was not answered may or may not have been
//           carried out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "env/linux/socket.h"
#include "resp/decoder.h"

namespace sluice::cli {

struct Address {
  std::string host = "127.0.0.1";
  uint16_t port = 7379;
  std::string user, password;  // empty: no AUTH
  int database = 0;

  std::string text() const;  // "host:port", for people: it holds no password
};

// "redis://[user[:password]@]host[:port][/database]"; %XX in user and password stand for bytes.
// `usual_port`: where it names none.
//   kInvalid  not such a URL; the message does not repeat the password.
Result<Address> ParseUrl(std::string_view url, uint16_t usual_port = Address().port);

// Appends one request to a pipeline.
void AppendRequest(std::string& to, std::span<const std::string_view> words);

class Client {
 public:
  static constexpr size_t kReadBytes = 256 << 10;

  // Borrows the clock. Connects, logs in if the address has a password, and chooses its database.
  // One Read() takes `read_bytes` from the socket at most, or more once a reply was longer.
  //   kIo       nobody answers there, or not within `timeout_ms`.
  //   kInvalid  the server refused the password, or the host is none.
  static Result<std::unique_ptr<Client>> Connect(const Address& address, env::Clock& clock,
                                                 int timeout_ms, size_t read_bytes = kReadBytes);

  // An error reply is a reply. Requires: nothing is under way.
  //   kIo  no reply within `timeout_ms`, or the connection is lost.
  Result<resp::Value> Call(std::span<const std::string_view> words, int timeout_ms);
  Result<resp::Value> Call(std::initializer_list<std::string_view> words, int timeout_ms) {
    return Call(std::span(words.begin(), words.size()), timeout_ms);
  }

  int fd() const { return socket_.get(); }
  std::string& out() { return out_; }
  size_t unsent() const { return out_.size() - sent_; }
  Status Write();
  Status Read();
  // True: `*reply` is the next reply. False: it is not all there.
  Result<bool> Next(resp::Value* reply);

 private:
  Client(env::Fd socket, env::Clock& clock, size_t read_bytes)
      : clock_(clock), socket_(std::move(socket)), in_(read_bytes) {}
  void WaitReady(int timeout_ms);

  env::Clock& clock_;
  env::Fd socket_;
  std::string out_;
  size_t sent_ = 0;       // bytes at the front of out_ that are gone
  std::vector<char> in_;  // received
  size_t in_begin_ = 0, in_end_ = 0;
  resp::Decoder decoder_;
};

}  // namespace sluice::cli
