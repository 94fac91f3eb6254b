// The bound of one reply: few bytes of a command may ask for any amount (a key named a thousand
// times), and a connection whose replies pass server's bound is closed without a word.
#pragma once

#include <cstddef>
#include <string_view>

#include "resp/reply.h"

namespace sluice::command {

inline constexpr size_t kReplyBytesMax = 48 << 20;
// What an element of a reply takes besides its bytes: "$4096\r\n", "\r\n".
inline constexpr size_t kElementBytes = 9;
inline constexpr std::string_view kReplyTooLong =
    "ERR the reply would be longer than 48 MiB; ask for less at a time; nothing was changed";

// Of a hash whose fields and values together pass it: commands on all of them are refused.
inline constexpr std::string_view kHashTooLong =
    "ERR this hash holds more than 48 MiB, which no reply brings at once; ask for its fields by "
    "name (HGET, HMGET); nothing was changed";

// Of a command whose rows must be read from disk and together pass it.
inline constexpr std::string_view kTooMuchToRead =
    "ERR this command reads more than 48 MiB from disk; name fewer fields at a time; nothing was "
    "changed";

// Asked while a reply is written that began at `begin`: once it passes the bound, the error takes
// its place and the answer is true.
inline bool EndedTooLong(resp::Reply& reply, size_t begin) {
  if (reply.size() - begin <= kReplyBytesMax) return false;
  reply.bytes().resize(begin);
  reply.Error(kReplyTooLong);
  return true;
}

}  // namespace sluice::command
