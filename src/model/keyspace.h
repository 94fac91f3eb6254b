// A keyspace: a named family of keys with one template, one way to make tokens and one write
// policy. What is baked into stored keys (template, token shape, regions) is `Keyspace`; what may
// change while running is `Policy`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"

namespace sluice::model {

// A template `order:{customer_id}:{order_id}` taken apart: literal, segment, literal, segment, …
// literals[i] stands before segments[i]; literals has one element more (the tail, may be empty).
struct Template {
  std::string text;
  std::vector<std::string> literals;
  std::vector<std::string> segments;
};

// One part of a token, in order. The whole token is the parts' bytes one after the other.
//   kHash   8 bytes: XXH3-64 of the named segments (each followed by a zero byte), big-endian
//   kRange  per named segment a self-delimiting, order-preserving code (route/token.h)
//   kGeo    2 bytes: the region's number, big-endian
enum class TokenPartKind : uint8_t { kHash, kRange, kGeo };
struct TokenPart {
  TokenPartKind kind;
  std::vector<uint16_t> segments;  // indexes into Template::segments; empty: the whole key
};

struct Region {
  uint16_t number;  // its place in tokens; never used again
  std::string name;
  std::vector<std::string> match;  // values of the geo segment that mean this region
  uint32_t shards = 1;             // to begin with
  std::string tag;                 // owners that may hold it; empty: any
};

struct Keyspace {
  KeyspaceId id;
  std::string name;
  Template key;  // empty text: matches every key (only `default`)
  std::vector<TokenPart> token;
  std::vector<Region> regions;  // not empty exactly when token[0] is kGeo
  std::string unknown_region;   // empty: refuse with -REGION; else a region's name
  std::string shard_spec;       // the `shard` setting as written, for people
};

enum class Ack : uint8_t {
  kMemory = 0,
  kDurable = 1,
  kReplicated = 2
};  // ordered: stronger is greater

// Who is served first; ordered: what comes later is served later. Background work says kBackground
// of itself; no keyspace can.
enum class Priority : uint8_t { kCritical = 0, kNormal = 1, kLow = 2, kBackground = 3 };

struct Policy {
  Ack ack = Ack::kDurable;
  uint64_t ttl_ms = 0;  // for keys written without one; 0: none
  bool append_only = false;
  bool folds = true;                      // writes of one turn to one key may become one record
  bool projected = false;                 // a projection reads it: values are logged whole
  bool increments_only = false;           // one that is told deltas: all else is refused
  Priority priority = Priority::kNormal;  // a connection may lower its own
  bool limited = false;                   // WriteLimits says how
  bool seeding = false;  // rows of a table are read into it first: clients' writes are refused

  bool operator==(const Policy&) const = default;
};

// So many writes in so many seconds, of which `burst` may come at once.
struct Rate {
  uint64_t writes = 0;  // 0: no limit
  uint64_t period_s = 1;
  uint64_t burst = 0;

  bool operator==(const Rate&) const = default;
};

// The limits of a keyspace's writes.
struct WriteLimits {
  Rate all, client, segment;
  uint16_t segment_index = 0;  // in Template::segments
  bool observe = false;        // nothing is refused, only counted

  bool any() const { return all.writes > 0 || client.writes > 0 || segment.writes > 0; }
  bool operator==(const WriteLimits&) const = default;
};

// The bytes that the token at the start of `bytes` takes. Zero if it is malformed.
size_t TokenSize(const Keyspace& keyspace, std::string_view bytes);

}  // namespace sluice::model
