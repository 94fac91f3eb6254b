// Why a call is not carried out, before anything is looked at.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/text.h"
#include "command/command.h"
#include "command/handler.h"

namespace sluice::command {
namespace {

// As Redis cuts what it quotes of an unknown command.
constexpr size_t kQuotedNameMax = 128;
constexpr size_t kQuotedArgsMax = 128;

struct NotOffered {
  std::string_view names;  // between blanks
  std::string_view alternative;
};

constexpr NotOffered kNotOffered[] = {
    {"lpush rpush lpop rpop llen lrange lindex lset lrem ltrim linsert lpos lmove lmpop lpushx "
     "rpushx rpoplpush blpop brpop blmove blmpop brpoplpush",
     "streams are the queue here (XADD, XREADGROUP; in a later version)"},
    {"sinter sinterstore sintercard sunion sunionstore sdiff sdiffstore smove",
     "read both sets (SMEMBERS, in a later version) and combine them in the client"},
    {"zunion zunionstore zinter zinterstore zintercard zdiff zdiffstore zrangestore zlexcount "
     "zrandmember zmpop bzmpop bzpopmin bzpopmax",
     "read the ranges (ZRANGE, in a later version) and combine them in the client"},
    {"getbit setbit bitcount bitpos bitop bitfield bitfield_ro",
     "keep flags as the fields of a hash (HSET, HMGET), or patch bytes with SETRANGE"},
    {"geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro "
     "geosearch geosearchstore",
     "shard by region (geo keyspaces) and index places in the database that a projection feeds"},
    {"sort sort_ro", "sort in the client, or query the database that a projection feeds"},
    {"object", "SLUICE ROUTE tells where a key lives, TYPE and TTL what it is"},
    {"dump restore migrate", "read a key with GET or HGETALL and write it to the other server"},
    {"copy rename renamenx", "read the key and write it under its new name, then DEL the old one"},
    {"eval eval_ro evalsha evalsha_ro script fcall fcall_ro function",
     "use SLUICE ONCE for writes that must happen once, conditions (SET NX, XX) and MSETNX; there "
     "is no scripting"},
    {"subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe publish spublish "
     "pubsub",
     "read the change feed, the stream sluice:changes:KEYSPACE (in a later version)"},
    {"module", "there are no modules; what Sluice adds is in the SLUICE command"},
    {"cluster asking readonly readwrite",
     "connect without cluster mode; SLUICE SHARDS and SLUICE ROUTE show where keys live"},
    {"swapdb move", "use keyspaces: there is one database"},
    {"lcs", "read both values with MGET and compare them in the client"},
    {"debug", "use SLUICE SHARDS, INFO and the metrics over HTTP"},
    {"pfdebug pfselftest", "there is nothing to debug in it"},
    {"monitor", "use SLOWLOG and the metrics over HTTP"},
    {"save bgsave bgrewriteaof", "every acknowledged write is in the log already"},
    {"replicaof slaveof replconf psync sync failover role restore-asking",
     "this version is one node without replicas"},
    {"lolwut", "use INFO, it reports sluice_version"},
};

using Alternatives = std::unordered_map<std::string_view, std::string_view>;

Alternatives MakeAlternatives() {
  Alternatives made;
  for (const NotOffered& group : kNotOffered) {
    std::string_view rest = group.names;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(' '), rest.size());
      made.emplace(rest.substr(0, end), group.alternative);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return made;
}

std::string Upper(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return upper;
}

// What is quoted ends at a zero byte, and at most at `max`.
std::string_view Quoted(std::string_view word, size_t max) {
  return word.substr(0, std::min(word.find('\0'), max));
}

void ReplyUnknown(Args args, resp::Reply& reply) {
  std::string quoted;
  for (size_t i = 1; i < args.size() && quoted.size() < kQuotedArgsMax; ++i) {
    quoted += fmt::format("'{}' ", Quoted(args[i], kQuotedArgsMax - quoted.size()));
  }
  reply.Error(fmt::format("ERR unknown command '{}', with args beginning with: {}",
                          Quoted(args[0], kQuotedNameMax), quoted));
}

// Whether so many words call the command; a command on several keys wants all words of each.
bool Fits(const Spec& spec, int words) {
  if (spec.face == Face::kMulti && (words - spec.first_key) % spec.key_step != 0) return false;
  return spec.arity > 0 ? words == spec.arity : words >= -spec.arity;
}

}  // namespace

std::string_view AlternativeTo(std::string_view name) {
  static const Alternatives alternatives = MakeAlternatives();
  const auto found = alternatives.find(Lower(name));
  return found == alternatives.end() ? std::string_view() : found->second;
}

const Spec* Resolve(Args args, resp::Reply& reply) {
  return Resolve(FindCommand(args[0]), args, reply);
}

const Spec* Resolve(const Spec* spec, Args args, resp::Reply& reply) {
  if (spec == nullptr) {
    const std::string_view alternative = AlternativeTo(args[0]);
    if (alternative.empty()) {
      ReplyUnknown(args, reply);
    } else {
      reply.Error(
          fmt::format("ERR '{}' is not offered by Sluice: {}", Upper(args[0]), alternative));
    }
    return nullptr;
  }
  if (spec->flags & kUnavailable) {
    reply.Error(
        fmt::format("ERR '{}' is not available yet in this version of Sluice", Upper(spec->name)));
    return nullptr;
  }
  if (!Fits(*spec, static_cast<int>(args.size()))) {
    ReplyWrongArity(reply, spec->name);
    return nullptr;
  }
  return spec;
}

}  // namespace sluice::command
