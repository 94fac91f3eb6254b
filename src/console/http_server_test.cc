#include "console/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/log_line.h"
#include "base/prng.h"
#include "env/linux/clock.h"
#include "env/linux/loop.h"
#include "env/linux/socket.h"

namespace sluice::console {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int64_t kLongMs = 20'000;  // only a broken server takes this long

class FakeSource final : public Source {
 public:
  Readiness Ready() override { return {.ready = ready, .reason = "recovering"}; }
  std::string MetricsText() override {
    if (throws) throw std::runtime_error("a defect of the source");
    return std::string(metrics_bytes, 'm');
  }
  Result<std::string> ShardsJson() override { return R"({"shards":[]})"; }
  Result<std::string> KeyspacesJson() override { return "{}"; }
  Result<std::string> HotKeysJson() override { return "{}"; }
  Result<std::string> HeatmapJson(const HeatmapQuery&) override { return "{}"; }
  Result<std::string> JobsJson() override { return R"({"jobs":[]})"; }
  Result<std::string> SamplesJson() override { return "{}"; }
  Result<std::string> ProjectionsJson() override { return "{}"; }
  Result<std::string> ConfigJson() override { return "{}"; }

  std::atomic<bool> ready{true};
  std::atomic<bool> throws{false};
  std::atomic<size_t> metrics_bytes{100};
};

// A client that sends raw bytes and reads until the server ends the connection.
class Client {
 public:
  explicit Client(const HttpServer& server) {
    auto fd = env::Connect(server.address(), kLongMs);
    auto loop = env::Loop::Open();
    EXPECT_TRUE(fd.has_value() && loop.has_value());
    fd_ = std::move(*fd);
    loop_ = std::move(*loop);
    env::TuneConnection(fd_.get(), 0);
    EXPECT_TRUE(loop_->Add(fd_.get(), 0, env::Interest::kNone).ok());
  }

  // False when the server is gone.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = env::WriteSome(fd_.get(), bytes);
      if (sent.result == env::IoResult::kFailed) return false;
      if (sent.result == env::IoResult::kAgain && !Wait(env::Interest::kWrite)) return false;
      bytes.remove_prefix(sent.bytes);
    }
    return true;
  }
  void FinishWrites() { env::FinishWrites(fd_.get()); }

  // Everything until the server closes; `reset` says that it did so rudely.
  std::string ReadAll(bool* reset = nullptr) {
    while (ReadMore(reset)) {
    }
    return std::exchange(got_, {});
  }
  // One response with its body of Content-Length bytes.
  std::string ReadResponse(bool has_body = true) {
    for (;;) {
      const size_t end = got_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const size_t at = got_.find("Content-Length: ");
        const size_t size = has_body ? std::stoul(got_.substr(at + 16)) : 0;
        if (got_.size() >= end + 4 + size) {
          std::string response = got_.substr(0, end + 4 + size);
          got_.erase(0, response.size());
          return response;
        }
      }
      if (!ReadMore(nullptr)) return "the connection ended after: " + got_;
    }
  }

 private:
  bool Wait(env::Interest interest) {
    loop_->Modify(fd_.get(), 0, interest);
    std::vector<env::Ready> ready;
    return loop_->Poll(kLongMs * 1000, &ready) > 0;
  }
  bool ReadMore(bool* reset) {
    char bytes[4096];
    const auto got = env::ReadSome(fd_.get(), bytes, sizeof bytes);
    if (got.result == env::IoResult::kAgain) {
      if (Wait(env::Interest::kRead)) return true;
      got_ += "(timeout)";
      return false;
    }
    if (reset != nullptr) *reset = got.result == env::IoResult::kFailed;
    got_.append(bytes, got.bytes);
    return got.result == env::IoResult::kDone;
  }

  env::Fd fd_;
  std::unique_ptr<env::Loop> loop_;
  std::string got_;
};

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpOptions options = {}) {
    options.listen = "127.0.0.1:0";
    auto started = HttpServer::Start(std::move(options), source_, clock_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
  }
  std::string Ask(std::string_view bytes) {
    Client client(*server_);
    client.Send(bytes);
    return client.ReadAll();
  }

  FakeSource source_;
  env::LinuxClock clock_;
  std::unique_ptr<HttpServer> server_;
};

// Goal:   one connection carries many requests, also pipelined and cut at any byte.
// Method: two requests in one write, then the same bytes cut in two at every place.
TEST_F(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  Start();
  const std::string two =
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nHEAD /api/v1/shards HTTP/1.1\r\nHost: x\r\n\r\n";
  Client client(*server_);
  for (size_t cut = 0; cut <= two.size(); ++cut) {
    ASSERT_TRUE(client.Send(two.substr(0, cut)));
    if (cut == two.size() / 2) std::this_thread::yield();
    ASSERT_TRUE(client.Send(two.substr(cut)));
    const std::string first = client.ReadResponse();
    ASSERT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
    ASSERT_THAT(first, EndsWith("\r\n\r\nalive\n"));
    constexpr bool kHasBody = false;
    const std::string second = client.ReadResponse(kHasBody);
    ASSERT_THAT(second, HasSubstr("Content-Type: application/json\r\n"));
    ASSERT_THAT(second, HasSubstr("Content-Length: 13\r\n"));
    ASSERT_THAT(second, EndsWith("\r\n\r\n"));
  }
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(client.ReadAll(), EndsWith("</html>\n"));
}

// Goal:   status and headers say what Pages decided.
TEST_F(HttpServerTest, SaysItInHttp) {
  Start({.authenticate = [](std::string_view user, std::string_view password) {
    return user == "ops" && password == "pw" ? Access{.known = true} : Access();
  }});
  const std::string close = " HTTP/1.0\r\n\r\n";
  const std::string user = " HTTP/1.0\r\nAuthorization: Basic b3BzOnB3\r\n\r\n";
  EXPECT_THAT(Ask("GET /healthz" + close), StartsWith("HTTP/1.0 200 OK\r\n"));
  const std::string stranger = Ask("GET /metrics" + close);
  EXPECT_THAT(stranger, StartsWith("HTTP/1.0 401 Unauthorized\r\n"));
  EXPECT_THAT(stranger, HasSubstr("\r\nWWW-Authenticate: Basic realm=\"sluice\""));
  EXPECT_THAT(Ask("GET /metrics" + user), EndsWith("\r\n\r\n" + std::string(100, 'm')));
  EXPECT_THAT(Ask("GET /nowhere" + user), StartsWith("HTTP/1.0 404 Not Found\r\n"));
  EXPECT_THAT(Ask("DELETE /metrics" + user), HasSubstr("\r\nAllow: GET, HEAD\r\n"));
  source_.ready = false;
  EXPECT_THAT(Ask("GET /readyz" + user), StartsWith("HTTP/1.0 503 Service Unavailable\r\n"));
  EXPECT_THAT(Ask("GET /readyz" + user), EndsWith("\r\n\r\nrecovering\n"));
}

// Goal:   what is not HTTP is told so at its first line and closed, without waiting for more.
TEST_F(HttpServerTest, RefusesForeignTongues) {
  Start();
  for (const std::string& bytes :
       {std::string("*1\r\n$4\r\nPING\r\n"), std::string("PING\r\n"), std::string("\x16\x03\x01"),
        std::string("\0\0\0\0", 4), std::string("\r\n"), std::string("GET / HTTP/2.0\r\n"),
        std::string("GET /\r\n"), std::string("get / HTTP/1.1\r\n"), std::string("G\xff"),
        std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        std::string("G") + std::string(kRequestLineMax + 1, 'x')}) {
    Client client(*server_);
    client.Send(bytes);
    bool reset = true;
    const std::string answer = client.ReadAll(&reset);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n")) << bytes;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_FALSE(reset) << bytes;
  }
}

// Goal:   a request over a limit is refused with the limit's status, however far it goes over.
// Method: from just above each limit to many times as much; the answer must arrive although the
//         client is still sending.
TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  Start();
  const std::string get = "GET /healthz HTTP/1.1\r\n", post = "POST /healthz HTTP/1.1\r\n";
  for (const size_t over : {size_t{1}, size_t{1000}, size_t{100'000}}) {
    EXPECT_THAT(Ask(get + "A: " + std::string(kHeaderMax + over, 'a') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431 "));
    const std::string body(kBodyMax + over, 'b');
    EXPECT_THAT(Ask(post + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(Ask(post + "Transfer-Encoding: chunked\r\n\r\nfffff\r\n" + body),
                StartsWith("HTTP/1.1 413 "));
  }
  const std::string fits(kBodyMax, 'b');
  EXPECT_THAT(Ask(post + "Connection: close\r\nContent-Length: " + std::to_string(fits.size()) +
                  "\r\n\r\n" + fits),
              StartsWith("HTTP/1.1 405 "));
}

// Goal:   a client that ends at any byte, or sends random bytes, harms nobody.
// Method: cut a good request at each byte and end; then requests with random bytes put in.
TEST_F(HttpServerTest, SurvivesEveryEndAndAnyBytes) {
  Start();
  const std::string request = "POST /metrics?a HTTP/1.1\r\nContent-Length: 3\r\nX: y\r\n\r\nabc";
  for (size_t cut = 0; cut < request.size(); ++cut) {
    Client client(*server_);
    client.Send(request.substr(0, cut));
    client.FinishWrites();
    EXPECT_THAT(client.ReadAll(), Not(HasSubstr("(timeout)"))) << cut;
  }
  Prng prng(5);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = request;
    for (uint64_t n = 1 + prng.Below(4); n > 0; --n) {
      bytes[prng.Below(bytes.size())] = static_cast<char>(prng());
    }
    Client client(*server_);
    client.Send(bytes);
    client.FinishWrites();
    EXPECT_THAT(client.ReadAll(), Not(HasSubstr("(timeout)"))) << bytes;
  }
  EXPECT_THAT(Ask("GET /healthz HTTP/1.0\r\n\r\n"), EndsWith("alive\n"));
  while (server_->meters().open.value() > 0) std::this_thread::yield();
}

// Goal:   slow clients are cut off at each stage: before, within and between requests, and when
//         they do not take the answer.
// Method: short limits; wait for the server's close rather than for the time.
TEST_F(HttpServerTest, EndsSlowClients) {
  constexpr std::chrono::milliseconds kShort{60};
  Start({.request_time = kShort, .idle_time = kShort, .answer_time = kShort});
  for (const char* start :
       {"", "G", "GET /healthz HTTP/1.1", "GET /healthz HTTP/1.1\r\nHost: ",
        "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", "GET /healthz HTTP/1.1\r\n\r\n"}) {
    Client client(*server_);
    client.Send(start);
    EXPECT_THAT(client.ReadAll(), Not(HasSubstr("(timeout)"))) << start;
  }
  // A drop of a byte now and then does not stretch the time for a whole request. Slow enough that
  // the time is over before the header has its size.
  constexpr std::chrono::microseconds kDrop{200};
  Client dripping(*server_);
  dripping.Send("GET /healthz HTTP/1.1\r\nA: ");
  const auto start = std::chrono::steady_clock::now();
  while (dripping.Send("a")) {
    const auto sent = std::chrono::steady_clock::now();
    ASSERT_LT(sent - start, std::chrono::milliseconds(kLongMs));
    while (std::chrono::steady_clock::now() - sent < kDrop) std::this_thread::yield();
  }
  source_.metrics_bytes = 64 << 20;
  Client deaf(*server_);
  deaf.Send("GET /metrics HTTP/1.1\r\n\r\n");
  while (server_->meters().timeouts.value() < 8) {
    ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(kLongMs));
    std::this_thread::yield();
  }
}

// Goal:   connections beyond the bound are told and closed; a place becomes free when one ends.
TEST_F(HttpServerTest, BoundsItsConnections) {
  Start({.connections_max = 3});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(*server_));
    clients[i]->Send("GET /healthz HTTP/1.1\r\n\r\n");
    EXPECT_THAT(clients[i]->ReadResponse(), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(Client(*server_).ReadAll(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(server_->meters().turned_off.value(), 1u);
  EXPECT_EQ(server_->meters().open.value(), 3);
  clients.pop_back();
  while (server_->meters().open.value() == 3) std::this_thread::yield();
  EXPECT_THAT(Ask("GET /healthz HTTP/1.0\r\n\r\n"), EndsWith("alive\n"));
}

// Goal:   an exception that a source lets through costs its own connection and nothing else.
TEST_F(HttpServerTest, OutlivesAFaultySource) {
  std::atomic<int> lines{0};
  SetLog({.sink = [&lines](std::string_view) { ++lines; }});
  Start();
  source_.throws = true;
  EXPECT_EQ(Ask("GET /metrics HTTP/1.1\r\n\r\n"), "");
  EXPECT_THAT(Ask("GET /healthz HTTP/1.0\r\n\r\n"), EndsWith("alive\n"));
  EXPECT_EQ(lines, 1);
  server_.reset();
  SetLog({});
}

// Goal:   stopping does not wait for clients, and leaves the address free.
TEST_F(HttpServerTest, StopsAtOnce) {
  Start();
  const std::string address = server_->address();
  Client idle(*server_), half(*server_);
  half.Send("GET /healthz HT");
  server_.reset();
  idle.ReadAll();
  half.ReadAll();
  auto again = HttpServer::Start({.listen = address}, source_, clock_);
  EXPECT_TRUE(again.has_value()) << again.error().message;
  auto taken = HttpServer::Start({.listen = address}, source_, clock_);
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Code::kConflict);
}

}  // namespace
}  // namespace sluice::console
