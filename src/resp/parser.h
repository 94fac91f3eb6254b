// Parser: takes clients' requests off a buffer of received bytes, without copying them.
//
//   Next()  the next whole command at the front of the buffer, as views into it.
//
// A command may arrive in any number of reads: the caller keeps the bytes that were not consumed,
// appends what came, and asks again. The parser goes on where it stopped, so a value that takes a
// thousand reads costs no more than one that takes one. Nothing is ever allocated because a header
// announces it, only for what is there.
//
// Owns:     offsets of the command in hand, at most limits.args_max of them; the bytes of quoted
//           inline arguments.
// Threads:  none.
// Failure:  after kError and kCrossProtocol the stream has no next command; the connection is to be
//           closed, after error() was sent.
// Format:   https://redis.io/docs/reference/protocol-spec (requests; inline commands)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::resp {

// What one command may hold. One that is larger is a protocol error.
struct Limits {
  size_t args_max;           // arguments, the command's name included
  size_t bulk_bytes_max;     // of one argument
  size_t inline_bytes_max;   // of a line: an inline command's, or a header's
  size_t command_bytes_max;  // of the whole command as sent: what the caller may have to buffer
  bool authenticated;        // false: the error says what was refused for want of AUTH
};

inline constexpr Limits kLimitsBeforeAuth = {10, 16 << 10, 64 << 10, 1 << 20, false};
inline constexpr Limits kLimits = {1 << 20, 16 << 20, 64 << 10, 64 << 20, true};

class Parser {
 public:
  enum class Got : uint8_t {
    kCommand,        // `args` holds it
    kNeedMore,       // the buffer ends within a command, or is empty
    kError,          // error() is the reply; then close
    kCrossProtocol,  // a browser or a proxy speaks HTTP to this port; close without a reply
  };

  explicit Parser(const Limits& limits) : limits_(limits) {}

  // From the next command on; one that is half parsed is parsed anew.
  void set_limits(const Limits& limits) {
    limits_ = limits;
    Rewind();
  }
  // The next call's input begins with a whole command once more, whatever was parsed of it.
  void Rewind() { Reset(); }

  // Whatever the answer, the first `*consumed` bytes of `input` are done with once `args` is, and
  // the next call's input begins behind them. `args` is valid as long as these bytes are and until
  // the next call.
  Got Next(std::string_view input, size_t* consumed, std::vector<std::string_view>* args);

  std::string_view error() const { return error_; }
  size_t bytes() const { return spans_.size() * sizeof(Span); }  // of offsets

 private:
  struct Span {
    size_t at, size;
  };

  Got Multibulk(std::string_view bytes);
  Got Bulk(std::string_view bytes);
  Got Length(std::string_view bytes, char marker, int64_t* value);
  Got Inline(std::string_view bytes, std::vector<std::string_view>* args);
  bool Split(std::string_view line, std::vector<std::string_view>* args);
  bool Quoted(std::string_view line, size_t* at);
  Got Fail(std::string_view what);
  void Reset();

  Limits limits_;
  size_t at_ = 0;       // all before it is parsed; offsets count from the command's first byte
  size_t scanned_ = 0;  // no line ends before it
  int64_t left_ = -1;   // arguments still to come; -1: the count itself is
  int64_t bulk_ = -1;   // bytes of the argument at at_; -1: its length is still to come
  std::vector<Span> spans_;
  std::string unquoted_;  // what quoted inline arguments mean
  std::string error_;
};

}  // namespace sluice::resp
