#include "console/http_server.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <exception>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/log_line.h"
#include "env/linux/socket.h"

namespace sluice::console {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 128;
constexpr size_t kReadBytes = 4 << 10;
constexpr std::chrono::milliseconds kAcceptPause{100};   // after an error of accept
constexpr std::chrono::milliseconds kFarewellTime{500};  // to let a refused client read the answer
constexpr size_t kFarewellBytesMax = 256 << 10;          // that are thrown away meanwhile

enum class Looks : uint8_t { kHttp, kUnfinished, kForeign };

// Judges the first line as soon as it can be: Beast waits for the end of the whole header, and a
// Redis client that came to the wrong door would wait with it.
Looks LookAt(std::string_view bytes) {
  if (bytes.empty()) return Looks::kUnfinished;
  if (bytes[0] < 'A' || bytes[0] > 'Z') return Looks::kForeign;
  const size_t end = bytes.find('\n');
  std::string_view line = bytes.substr(0, std::min(end, kRequestLineMax + 1));
  if (line.size() > kRequestLineMax) return Looks::kForeign;
  if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
  const bool printable =
      std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (end == std::string_view::npos) {
    if (line.ends_with('\r')) return Looks::kUnfinished;
    return printable ? Looks::kUnfinished : Looks::kForeign;
  }
  const bool http = line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0");
  return printable && http ? Looks::kHttp : Looks::kForeign;
}

Answered AnsweredBy(int status) {
  if (status < 400) return Answered::kOk;
  if (status >= 500) return Answered::kServerError;
  if (status == 401) return Answered::kUnauthorized;
  return status == 400 ? Answered::kBadRequest : Answered::kOtherRefusal;
}

}  // namespace

// What all connections share. Lives on the server's thread.
struct Shared {
  HttpOptions options;
  Pages pages;
  env::Clock& clock;
  Meters meters;
  size_t open = 0;
};

namespace {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    shared_.meters.open.Set(static_cast<int64_t>(++shared_.open));
  }
  ~Connection() { shared_.meters.open.Set(static_cast<int64_t>(--shared_.open)); }

  void Start() {
    stream_.expires_after(shared_.options.request_time);
    ReadFirstLine();
  }

 private:
  std::string_view Buffered() const {
    return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
  }

  void ReadFirstLine() {
    switch (LookAt(Buffered())) {
      case Looks::kHttp:
        return ReadRequest();
      case Looks::kForeign:
        return Refuse(400, "this is the HTTP port of Sluice, and that was not HTTP\n");
      case Looks::kUnfinished:
        break;
    }
    const bool idle = buffer_.size() == 0;
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this(), idle](error_code error, size_t bytes) {
                              if (error) return self->Ended(error);
                              if (idle) {
                                self->stream_.expires_after(self->shared_.options.request_time);
                              }
                              self->buffer_.commit(bytes);
                              self->ReadFirstLine();
                            });
  }

  void ReadRequest() {
    parser_.emplace();
    parser_->header_limit(kHeaderMax);
    parser_->body_limit(kBodyMax);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, size_t) {
                       if (error) return self->ReadFailed(error);
                       self->Answer();
                     });
  }

  void ReadFailed(error_code error) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Refuse(431, "the header is too large\n");
    }
    if (error == http::error::body_limit) return Refuse(413, "the body is too large\n");
    const bool malformed = error.category() == make_error_code(http::error::bad_method).category();
    const bool cut_off =
        error == http::error::end_of_stream || error == http::error::partial_message;
    if (malformed && !cut_off) return Refuse(400, "malformed request\n");
    Ended(error);
  }

  void Answer() {
    const uint64_t start_us = shared_.clock.MonotonicUs();
    const auto& request = parser_->get();
    const auto text = [](auto view) { return std::string_view(view.data(), view.size()); };
    Response response =
        shared_.pages.Answer({.method = text(request.method_string()),
                              .target = text(request.target()),
                              .authorization = text(request[http::field::authorization])});
    shared_.meters.time.Record(shared_.clock.MonotonicUs() - start_us);
    const bool is_head = request.method() == http::verb::head;
    Send(std::move(response), request.version(), request.keep_alive(), is_head);
  }

  void Refuse(int status, std::string body) {
    constexpr bool kKeepAlive = false, kIsHead = false;
    Send({.status = status, .body = std::move(body)}, 11, kKeepAlive, kIsHead);
  }

  void Send(Response response, unsigned version, bool keep_alive, bool is_head) {
    shared_.meters.requests[AnsweredBy(response.status)].Add();
    reply_.emplace(static_cast<http::status>(response.status), version);
    reply_->set(http::field::content_type,
                boost::string_view(response.content_type.data(), response.content_type.size()));
    reply_->set(http::field::cache_control, "no-store");
    reply_->set("X-Content-Type-Options", "nosniff");
    reply_->set("Content-Security-Policy",
                "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; "
                "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    reply_->set("Referrer-Policy", "no-referrer");
    if (response.status == 401) {
      reply_->set(http::field::www_authenticate, "Basic realm=\"sluice\", charset=\"UTF-8\"");
    }
    if (response.status == 405) reply_->set(http::field::allow, "GET, HEAD");
    reply_->keep_alive(keep_alive);
    reply_->content_length(response.body.size());
    if (!is_head) reply_->body() = std::move(response.body);
    stream_.expires_after(shared_.options.answer_time);
    http::async_write(stream_, *reply_,
                      [self = shared_from_this(), keep_alive](error_code error, size_t) {
                        if (error) return self->Ended(error);
                        if (!keep_alive) return self->SayFarewell();
                        self->stream_.expires_after(self->shared_.options.idle_time);
                        self->ReadFirstLine();
                      });
  }

  // A close with unread bytes would reset the connection, and the answer could be lost on its way.
  void SayFarewell() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kFarewellTime);
    DrainRest();
  }
  void DrainRest() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, size_t bytes) {
                              self->drained_ += bytes;
                              if (!error && self->drained_ < kFarewellBytesMax) self->DrainRest();
                            });
  }

  // The last reference goes with the handler, and with it the socket.
  void Ended(error_code error) {
    if (error == beast::error::timeout) shared_.meters.timeouts.Add();
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_{kHeaderMax + kBodyMax};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> reply_;
  size_t drained_ = 0;
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpOptions options, Source& source, env::Clock& clock)
      : shared_{.options = options,
                .pages = Pages(source, options.authenticate),
                .clock = clock,
                .meters = {}} {}
  ~Impl() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Status Start() {
    SLUICE_ASSIGN(const auto listener, env::Listener::Open(shared_.options.listen, kBacklog));
    address_ = listener->address();
    const auto protocol = address_.starts_with('[') ? tcp::v6() : tcp::v4();
    error_code error;
    acceptor_.assign(protocol, listener->Release().Release(), error);
    if (error) return Fail(Code::kIo, "http: " + error.message());
    Accept();
    thread_ = std::thread([this] { Run(); });
    return Ok();
  }

  const std::string& address() const { return address_; }
  const Meters& meters() const { return shared_.meters; }

 private:
  void Run() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        // The connection it came from is gone with its handler; the others go on.
        LogError("console", "an HTTP request failed", {{"error", error.what()}});
      }
    }
  }

  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return PauseAccepting(error);
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      if (shared_.open >= shared_.options.connections_max) {
        TurnOff(std::move(socket));
      } else {
        std::make_shared<Connection>(std::move(socket), shared_)->Start();
      }
      Accept();
    });
  }

  void TurnOff(tcp::socket socket) {
    constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
        "Content-Length: 26\r\n\r\ntoo many HTTP connections\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(kBusy), ignored);
    shared_.meters.turned_off.Add();
  }

  void PauseAccepting(error_code error) {
    LogWarning("console", "no HTTP connection can be accepted", {{"error", error.message()}});
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code stopped) {
      if (!stopped) Accept();
    });
  }

  Shared shared_;
  std::string address_;
  asio::io_context io_{1};  // goes before what its handlers use
  tcp::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  std::thread thread_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpOptions options, Source& source,
                                                      env::Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(options), source, clock);
  SLUICE_TRY(impl->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;
const std::string& HttpServer::address() const {
  return impl_->address();
}
const Meters& HttpServer::meters() const {
  return impl_->meters();
}

}  // namespace sluice::console
