// The HTTP face: the console, metrics, health and JSON, on a thread of its own.
//
//   docs/reference/http.md says what it answers.
//
// Whatever a client sends or does not send, it costs at most one connection's bounded memory for a
// bounded time; what is not HTTP (a Redis client, TLS) is answered 400 at its first line.
//
// Borrows:  the Source and the clock.
// Threads:  one inside; Start and the destructor from the owner's.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "console/meters.h"
#include "console/pages.h"
#include "console/source.h"
#include "env/env.h"

namespace sluice::console {

inline constexpr size_t kRequestLineMax = 4 << 10;  // longer: 400
inline constexpr size_t kHeaderMax = 16 << 10;      // with the request line; longer: 431
inline constexpr size_t kBodyMax = 64 << 10;        // longer: 413

struct HttpOptions {
  std::string listen = {};         // "host:port"
  Authenticate authenticate = {};  // empty: everybody may look
  size_t connections_max = 64;     // beyond: 503 at once
  // Times after which a connection is closed: for one whole request to arrive, between requests,
  // and for an answer to be taken.
  std::chrono::milliseconds request_time{10'000};
  std::chrono::milliseconds idle_time{60'000};
  std::chrono::milliseconds answer_time{30'000};
};

class HttpServer {
 public:
  // Serves from the moment it returns.
  //   kInvalid, kConflict, kIo  as env::Listener::Open. Nothing is served.
  static Result<std::unique_ptr<HttpServer>> Start(HttpOptions options, Source& source,
                                                   env::Clock& clock);
  // Stops at once; answers under way are cut.
  ~HttpServer();

  const std::string& address() const;  // where it listens, with the true port
  const Meters& meters() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::console
