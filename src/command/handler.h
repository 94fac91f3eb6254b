// What handlers share: finding a key of the right type, expiry, refusals in Redis' words.
//
// A function that may end the handler answers an Outcome to leave with, or nothing to go on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "command/command.h"

namespace sluice::command {

// A string may grow to here by APPEND and SETRANGE; beyond it they answer kTooLong.
inline constexpr uint64_t kValueBytesMax = 64 << 20;
// A longer field is refused by commands that would create it: it becomes part of a stored key.
inline constexpr size_t kFieldBytesMax = 60'000;

inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kSyntax = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "ERR value is not a valid float";
inline constexpr std::string_view kOutOfRange = "ERR value is out of range";
inline constexpr std::string_view kOverflow = "ERR increment or decrement would overflow";
inline constexpr std::string_view kNoFiniteSum = "ERR increment would produce NaN or Infinity";
inline constexpr std::string_view kTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
inline constexpr std::string_view kFieldTooLong = "ERR field exceeds maximum allowed size (60000)";
inline constexpr std::string_view kAppendOnly =
    "ERR keyspace is append-only: it refuses deleting and overwriting";
inline constexpr std::string_view kIncrementsOnly =
    "ERR a projection with mode = \"add\" reads this keyspace: only INCR, INCRBY, DECR, DECRBY and "
    "HINCRBY may write to it";

void ReplyWrongArity(resp::Reply& reply, std::string_view command);
void ReplyBadExpire(resp::Reply& reply, std::string_view command);

// A key as a handler found it.
struct Key {
  std::string_view name;
  bool exists = false;
  model::RowView row;

  std::string_view value() const { return exists ? row.body : std::string_view(); }
};

// args[1], of any type; leaves when it is cold.
std::optional<Outcome> Find(Call& call, Key* key);
// args[1]; leaves when it is cold, or replies and leaves when it is of the other type.
std::optional<Outcome> FindString(Call& call, Key* key);
std::optional<Outcome> FindHash(Call& call, Key* key);

// When a key that is written without a time of its own expires: its keyspace's ttl from now.
uint64_t DefaultExpiry(const model::Policy& policy, uint64_t now_ms);
// When a key expires after a change that leaves its time alone.
uint64_t KeptExpiry(const Call& call, const Key& key);

// Writes the refusal if the keyspace is append-only.
bool RefusedAsAppendOnly(Call& call);

// Replies an error. Handlers leave with it.
Outcome Refuse(Call& call, std::string_view error);

void EmitPut(Call& call, std::string_view value, uint64_t expire_at_ms);
void EmitDelete(Call& call);
void EmitExpireAt(Call& call, uint64_t expire_at_ms);

}  // namespace sluice::command
