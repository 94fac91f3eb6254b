// Decoder: takes servers' replies off a stream of received bytes, for clients.
//
//   Next()  consumes bytes until a whole reply is read.
//
// The bytes may arrive in any reads: what Next() consumed is the decoder's, so an array of a
// million elements is read once, however it arrives.
//
// Owns:     the reply being read.
// Threads:  none.
// Failure:  after kError the stream has no next reply.
// Format:   https://redis.io/docs/reference/protocol-spec (RESP2 and RESP3 replies)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::resp {

// One reply. A map's items are key, value, key, value, …
struct Value {
  enum class Type : uint8_t {
    kNull,
    kSimple,
    kError,
    kInt,
    kBulk,  // a verbatim string too, without its format
    kDouble,
    kBool,
    kBigNumber,
    kArray,
    kMap,
    kSet,
    kPush,
  };

  Type type = Type::kNull;
  int64_t number = 0;  // of kInt; of kBool: 0 or 1
  std::string text;    // of strings and errors; numbers as they were sent
  std::vector<Value> items;

  bool is_error() const { return type == Type::kError; }
};

class Decoder {
 public:
  enum class Got : uint8_t { kReply, kNeedMore, kError };

  static constexpr size_t kLineBytesMax = 64 << 10;   // of a simple string, an error, a header
  static constexpr size_t kBulkBytesMax = 512 << 20;  // of one string
  static constexpr size_t kDepthMax = 32;             // of nested arrays

  // Takes bytes off the front of `input`: the next call's input begins behind them, whatever the
  // answer. kReply: `*reply` is the next reply. kError: a limit is passed or these are no replies.
  Got Next(std::string_view input, size_t* consumed, Value* reply);

 private:
  struct Open {
    Value value;
    size_t left;  // items still to come
  };

  Got Item(std::string_view input, size_t* size, Value* value, size_t* items);
  Got Line(std::string_view input, std::string_view* line) const;

  std::vector<Open> open_;  // arrays not complete yet, outermost first
};

}  // namespace sluice::resp
