// Commands of the connection and the server: entries only, the server carries them out.
#include "command/families.h"

namespace sluice::command {
namespace {

constexpr Spec Connection(std::string_view name, int arity, uint32_t flags,
                          std::string_view summary) {
  return PlainCommand(name, arity, flags, Face::kSession, "connection", summary);
}

constexpr Spec Server(std::string_view name, int arity, uint32_t flags, std::string_view summary) {
  return PlainCommand(name, arity, flags, Face::kSession, "server", summary);
}

constexpr Spec kCommands[] = {
    Connection("auth", -2, kFast | kNoAuth, "Proves who the client is."),
    Connection("hello", -1, kFast | kNoAuth, "Chooses the protocol, and may prove who one is."),
    Connection("ping", -1, kFast, "Answers."),
    Connection("echo", 2, kFast, "Answers what it was given."),
    Connection("quit", -1, kFast | kNoAuth, "Closes the connection."),
    Connection("reset", 1, kFast | kNoAuth, "Forgets all about the connection."),
    Connection("select", 2, kFast, "Chooses database 0, the only one."),
    Connection("client", -2, 0, "Names, lists and ends connections."),
    Server("command", -1, 0, "This table."),
    Server("info", -1, 0, "The state of the server, as text."),
    Server("config", -2, kAdmin, "Reads and changes settings."),
    Server("time", 1, kFast, "The server's time."),
    Server("acl", -2, kAdmin, "Who may do what."),
    Server("latency", -2, kAdmin, "What took long."),
    Server("slowlog", -2, kAdmin, "Which commands took long."),
    Server("memory", -2, kAdmin, "Where memory went."),
    PlainCommand("wait", 3, kAlone, Face::kSession, "generic", "Waits for replicas."),
    PlainCommand("waitaof", 4, kAlone, Face::kSession, "generic",
                 "Waits until writes are durable."),
    Server("lastsave", 1, kFast | kAdmin, "When all was durable last."),
    Server("shutdown", -1, kAdmin, "Ends the server."),
    Server("sluice", -2, 0, "What only Sluice does: ONCE, RANGE, ROUTE, ACK, SHARDS."),
};

constexpr Spec Later(std::string_view name, int arity, uint32_t flags, int first, int last,
                     std::string_view group) {
  return Spec{.name = name,
              .arity = arity,
              .flags = flags | kUnavailable,
              .face = Face::kSession,
              .first_key = first,
              .last_key = last,
              .key_step = first == 0 ? 0 : 1,
              .group = group};
}

constexpr Spec OnSet(std::string_view name, int arity, uint32_t flags) {
  return Later(name, arity, flags, 1, 1, "set");
}

constexpr Spec OnSorted(std::string_view name, int arity, uint32_t flags) {
  return Later(name, arity, flags, 1, 1, "sorted-set");
}

constexpr Spec OnStream(std::string_view name, int arity, uint32_t flags) {
  return Later(name, arity, flags, 1, 1, "stream");
}

constexpr Spec kLater[] = {
    OnSet("sadd", -3, kWrite | kFast),
    OnSet("srem", -3, kWrite | kFast),
    OnSet("sismember", 3, kRead | kFast),
    OnSet("smismember", -3, kRead | kFast),
    OnSet("smembers", 2, kRead),
    OnSet("scard", 2, kRead | kFast),
    OnSet("srandmember", -2, kRead),
    OnSet("spop", -2, kWrite | kFast),
    OnSet("sscan", -3, kRead),
    OnSorted("zadd", -4, kWrite | kFast),
    OnSorted("zincrby", 4, kWrite | kFast),
    OnSorted("zrem", -3, kWrite | kFast),
    OnSorted("zscore", 3, kRead | kFast),
    OnSorted("zmscore", -3, kRead | kFast),
    OnSorted("zcard", 2, kRead | kFast),
    OnSorted("zcount", 4, kRead | kFast),
    OnSorted("zrank", 3, kRead | kFast),
    OnSorted("zrevrank", 3, kRead | kFast),
    OnSorted("zrange", -4, kRead),
    OnSorted("zrevrange", -4, kRead),
    OnSorted("zrangebyscore", -4, kRead),
    OnSorted("zrevrangebyscore", -4, kRead),
    OnSorted("zrangebylex", -4, kRead),
    OnSorted("zrevrangebylex", -4, kRead),
    OnSorted("zremrangebyscore", 4, kWrite),
    OnSorted("zremrangebyrank", 4, kWrite),
    OnSorted("zremrangebylex", 4, kWrite),
    OnSorted("zpopmin", -2, kWrite | kFast),
    OnSorted("zpopmax", -2, kWrite | kFast),
    OnSorted("zscan", -3, kRead),
    Later("pfadd", -2, kWrite | kFast, 1, 1, "hyperloglog"),
    Later("pfcount", -2, kRead, 1, -1, "hyperloglog"),
    Later("pfmerge", -2, kWrite, 1, -1, "hyperloglog"),
    OnStream("xadd", -5, kWrite | kFast),
    OnStream("xack", -4, kWrite | kFast),
    OnStream("xautoclaim", -6, kWrite | kFast),
    OnStream("xclaim", -6, kWrite | kFast),
    OnStream("xdel", -3, kWrite | kFast),
    Later("xgroup", -2, 0, 0, 0, "stream"),
    Later("xinfo", -2, 0, 0, 0, "stream"),
    OnStream("xlen", 2, kRead | kFast),
    OnStream("xpending", -3, kRead),
    OnStream("xrange", -4, kRead),
    Later("xread", -4, kRead, 0, 0, "stream"),
    Later("xreadgroup", -7, kWrite, 0, 0, "stream"),
    OnStream("xrevrange", -4, kRead),
    OnStream("xsetid", -3, kWrite | kFast),
    OnStream("xtrim", -4, kWrite),
    Later("multi", 1, kFast, 0, 0, "transactions"),
    Later("exec", 1, 0, 0, 0, "transactions"),
    Later("discard", 1, kFast, 0, 0, "transactions"),
    Later("watch", -2, kFast, 1, -1, "transactions"),
    Later("unwatch", 1, kFast, 0, 0, "transactions"),
};

}  // namespace

std::span<const Spec> SessionCommands() {
  return kCommands;
}

std::span<const Spec> LaterCommands() {
  return kLater;
}

}  // namespace sluice::command
