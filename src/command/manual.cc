#include "command/manual.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace sluice::command {
namespace {

constexpr ManualEntry kManual[] = {
    {"acl", "6.0.0", "as its subcommands"},
    {"acl|cat", "6.0.0", "O(n), n: commands", "[categoryname]"},
    {"acl|deluser", "6.0.0", "O(1)", "username..."},
    {"acl|getuser", "6.0.0", "O(1)", "username"},
    {"acl|help", "6.0.0", "O(1)"},
    {"acl|list", "6.0.0", "O(n), n: users"},
    {"acl|load", "6.0.0", "O(1)"},
    {"acl|log", "6.0.0", "O(1)", "[operation=(count:integer | RESET)]"},
    {"acl|save", "6.0.0", "O(1)"},
    {"acl|setuser", "6.0.0", "O(1)", "username [rule...]"},
    {"acl|users", "6.0.0", "O(n), n: users"},
    {"acl|whoami", "6.0.0", "O(1)"},
    {"append", "2.0.0", "O(n), n: bytes added", "key value", "RW insert"},
    {"auth", "1.0.0", "O(1)", "[username] password"},
    {"client", "2.4.0", "as its subcommands"},
    {"client|getname", "2.6.9", "O(1)"},
    {"client|getredir", "6.0.0", "O(1)"},
    {"client|help", "5.0.0", "O(1)"},
    {"client|id", "5.0.0", "O(1)"},
    {"client|info", "6.2.0", "O(1)"},
    {"client|kill", "2.4.0", "O(n), n: connections",
     "filter=(ip:port | new-format=([ID client-id:integer] | [TYPE "
     "normal_master_slave_pubsub=(NORMAL | MASTER | SLAVE | REPLICA | PUBSUB)] | [USER username] | "
     "[ADDR ip:port] | [LADDR ip:port] | [SKIPME yes/no])...)"},
    {"client|list", "2.4.0", "O(n), n: connections",
     "[TYPE normal_master_replica_pubsub=(NORMAL | MASTER | REPLICA | PUBSUB)] [ID "
     "id=(client-id:integer...)]"},
    {"client|no-evict", "7.0.0", "O(1)", "enabled=(ON | OFF)"},
    {"client|no-touch", "7.2.0", "O(1)", "enabled=(ON | OFF)"},
    {"client|pause", "2.9.50", "O(1)", "timeout:integer [mode=(WRITE | ALL)]"},
    {"client|reply", "3.2.0", "O(1)", "on_off_skip=(ON | OFF | SKIP)"},
    {"client|setinfo", "7.2.0", "O(1)", "attr=(LIB-NAME libname | LIB-VER libver)"},
    {"client|setname", "2.6.9", "O(1)", "connection-name"},
    {"client|tracking", "6.0.0", "O(1)",
     "status=(ON | OFF) [REDIRECT client-id:integer] [PREFIX prefix...] [BCAST] [OPTIN] [OPTOUT] "
     "[NOLOOP]"},
    {"client|trackinginfo", "6.2.0", "O(1)"},
    {"client|unblock", "5.0.0", "O(1)", "client-id:integer [timeout_error=(TIMEOUT | ERROR)]"},
    {"client|unpause", "6.2.0", "O(1)"},
    {"command", "2.8.13", "O(n), n: commands"},
    {"command|count", "2.8.13", "O(1)"},
    {"command|docs", "7.0.0", "O(n), n: commands", "[command-name...]"},
    {"command|getkeys", "2.8.13", "O(n), n: arguments"},
    {"command|getkeysandflags", "7.0.0", "O(n), n: arguments"},
    {"command|help", "5.0.0", "O(1)"},
    {"command|info", "2.8.13", "O(n), n: commands", "[command-name...]"},
    {"command|list", "7.0.0", "O(n), n: commands",
     "[FILTERBY filterby=(MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]"},
    {"config", "2.0.0", "as its subcommands"},
    {"config|get", "2.0.0", "O(n), n: settings", "parameter=(parameter)..."},
    {"config|help", "5.0.0", "O(1)"},
    {"config|resetstat", "2.0.0", "O(n), n: commands"},
    {"config|rewrite", "2.8.0", "O(1)"},
    {"config|set", "2.0.0", "O(n), n: settings", "parameter_value=(parameter value)..."},
    {"dbsize", "1.0.0", "O(n), n: all keys, to 2,000,000; an estimate beyond"},
    {"decr", "1.0.0", "O(1)", "key", "RW access update"},
    {"decrby", "1.0.0", "O(1)", "key decrement:integer", "RW access update"},
    {"del", "1.0.0", "O(n), n: keys", "key...", "RM delete"},
    {"echo", "1.0.0", "O(1)", "message"},
    {"exists", "1.0.0", "O(n), n: keys", "key...", "RO"},
    {"expire", "1.0.0", "O(1)", "key seconds:integer [condition=(NX | XX | GT | LT)]", "RW update"},
    {"expireat", "1.2.0", "O(1)", "key unix-time-seconds:unix-time [condition=(NX | XX | GT | LT)]",
     "RW update"},
    {"expiretime", "7.0.0", "O(1)", "key", "RO access"},
    {"flushall", "1.0.0", "O(s), s: shards", "[async=(ASYNC | SYNC)]"},
    {"flushdb", "1.0.0", "O(s), s: shards", "[async=(ASYNC | SYNC)]"},
    {"get", "1.0.0", "O(1)", "key", "RO access"},
    {"getdel", "6.2.0", "O(1)", "key", "RW access delete"},
    {"getex", "6.2.0", "O(1)",
     "key [expiration=(EX seconds:integer | PX milliseconds:integer | EXAT "
     "unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST)]",
     "RW access update"},
    {"getrange", "2.4.0", "O(n), n: bytes returned", "key start:integer end:integer", "RO access"},
    {"getset", "1.0.0", "O(1)", "key value", "RW access update"},
    {"hdel", "2.0.0", "O(n), n: fields given", "key field...", "RW delete"},
    {"hello", "6.0.0", "O(1)",
     "[arguments=(protover:integer [AUTH username_password=(username password)] [SETNAME "
     "clientname])]"},
    {"hexists", "2.0.0", "O(1)", "key field", "RO"},
    {"hget", "2.0.0", "O(1)", "key field", "RO access"},
    {"hgetall", "2.0.0", "O(n), n: fields of the hash", "key", "RO access"},
    {"hincrby", "2.0.0", "O(1)", "key field increment:integer", "RW access update"},
    {"hincrbyfloat", "2.6.0", "O(1)", "key field increment:double", "RW access update"},
    {"hkeys", "2.0.0", "O(n), n: fields of the hash", "key", "RO access"},
    {"hlen", "2.0.0", "O(1)", "key", "RO"},
    {"hmget", "2.0.0", "O(n), n: fields asked for", "key field...", "RO access"},
    {"hmset", "2.0.0", "O(n), n: fields given", "key field_value=(field value)...", "RW update"},
    {"hrandfield", "6.2.0", "O(n), n: fields of the hash",
     "key [options=(count:integer [WITHVALUES])]", "RO access"},
    {"hscan", "2.8.0", "O(n) a call, n: COUNT",
     "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]", "RO access"},
    {"hset", "2.0.0", "O(n), n: fields given", "key field_value=(field value)...", "RW update"},
    {"hsetnx", "2.0.0", "O(1)", "key field value", "RW insert"},
    {"hstrlen", "3.2.0", "O(1)", "key field", "RO"},
    {"hvals", "2.0.0", "O(n), n: fields of the hash", "key", "RO access"},
    {"incr", "1.0.0", "O(1)", "key", "RW access update"},
    {"incrby", "1.0.0", "O(1)", "key increment:integer", "RW access update"},
    {"incrbyfloat", "2.6.0", "O(1)", "key increment:double", "RW access update"},
    {"info", "1.0.0", "O(s), s: shards", "[section...]"},
    {"keys", "1.0.0", "O(n), n: all keys", "pattern:pattern"},
    {"lastsave", "1.0.0", "O(1)"},
    {"latency", "2.8.13", "as its subcommands"},
    {"latency|doctor", "2.8.13", "O(n), n: events"},
    {"latency|graph", "2.8.13", "O(1)", "event"},
    {"latency|help", "2.8.13", "O(1)"},
    {"latency|histogram", "7.0.0", "O(n), n: commands", "[command...]"},
    {"latency|history", "2.8.13", "O(1)", "event"},
    {"latency|latest", "2.8.13", "O(n), n: events"},
    {"latency|reset", "2.8.13", "O(n), n: events", "[event...]"},
    {"memory", "4.0.0", "as its subcommands"},
    {"memory|doctor", "4.0.0", "O(1)"},
    {"memory|help", "4.0.0", "O(1)"},
    {"memory|malloc-stats", "4.0.0", "O(1)"},
    {"memory|purge", "4.0.0", "O(n), n: bytes that are free"},
    {"memory|stats", "4.0.0", "O(1)"},
    {"memory|usage", "4.0.0", "O(n), n: SAMPLES", "key [SAMPLES count:integer]", "RO"},
    {"mget", "1.0.0", "O(n), n: keys", "key...", "RO access"},
    {"mset", "1.0.1", "O(n), n: keys", "key_value=(key value)...", "OW update"},
    {"msetnx", "1.0.1", "O(n), n: keys", "key_value=(key value)...", "OW insert"},
    {"persist", "2.2.0", "O(1)", "key", "RW update"},
    {"pexpire", "2.6.0", "O(1)", "key milliseconds:integer [condition=(NX | XX | GT | LT)]",
     "RW update"},
    {"pexpireat", "2.6.0", "O(1)",
     "key unix-time-milliseconds:unix-time [condition=(NX | XX | GT | LT)]", "RW update"},
    {"pexpiretime", "7.0.0", "O(1)", "key", "RO access"},
    {"ping", "1.0.0", "O(1)", "[message]"},
    {"psetex", "2.6.0", "O(1)", "key milliseconds:integer value", "OW update"},
    {"pttl", "2.6.0", "O(1)", "key", "RO access"},
    {"quit", "1.0.0", "O(1)"},
    {"randomkey", "1.0.0", "O(s), s: shards"},
    {"reset", "6.2.0", "O(1)"},
    {"scan", "2.8.0", "O(n) a call, n: COUNT",
     "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]"},
    {"select", "1.0.0", "O(1)", "index:integer"},
    {"set", "1.0.0", "O(1)",
     "key value [condition=(NX | XX)] [GET] [expiration=(EX seconds:integer | PX "
     "milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT "
     "unix-time-milliseconds:unix-time | KEEPTTL)]",
     "RW access update variable_flags"},
    {"setex", "2.0.0", "O(1)", "key seconds:integer value", "OW update"},
    {"setnx", "1.0.0", "O(1)", "key value", "OW insert"},
    {"setrange", "2.2.0", "O(n), n: bytes written", "key offset:integer value", "RW update"},
    {"shutdown", "1.0.0", "O(n), n: bytes in write buffers",
     "[nosave_save=(NOSAVE | SAVE)] [NOW] [FORCE] [ABORT]"},
    {"slowlog", "2.2.12", "as its subcommands"},
    {"slowlog|get", "2.2.12", "O(n), n: entries", "[count:integer]"},
    {"slowlog|help", "6.2.0", "O(1)"},
    {"slowlog|len", "2.2.12", "O(1)"},
    {"slowlog|reset", "2.2.12", "O(n), n: entries"},
    {"sluice", "0.1.0", "as its subcommands"},
    {"sluice|ack", "0.1.0", "O(1)", "level=(MEMORY | DURABLE)"},
    {"sluice|dead", "0.1.0", "O(n), n: letters",
     "projection [order=(REPLAY | PURGE)] [id:integer...]"},
    {"sluice|help", "0.1.0", "O(1)"},
    {"sluice|hotkeys", "0.1.0", "O(k) of the keys that are watched", "[COUNT count] [keyspace]"},
    {"sluice|job", "0.1.0", "O(1)", "order=(PAUSE | RESUME | ABORT) job:integer"},
    {"sluice|jobs", "0.1.0", "O(n), n: jobs"},
    {"sluice|merge", "0.1.0", "O(n), n: shards", "shard:integer shard:integer"},
    {"sluice|move", "0.1.0", "O(n), n: shards", "shard:integer lane:integer"},
    {"sluice|once", "0.1.0", "as the command",
     "once=(token | numbered=(producer sequence:integer)) command [arg...]"},
    {"sluice|priority", "0.1.0", "O(1)", "class=(CRITICAL | NORMAL | LOW | BACKGROUND)"},
    {"sluice|projection", "0.1.0", "O(1); of VERIFY O(n), n: rows",
     "order=(PAUSE | RESUME | REBUILD | VERIFY) projection"},
    {"sluice|projections", "0.1.0", "O(n), n: projections"},
    {"sluice|range", "0.1.0", "O(n), n: COUNT",
     "keyspace FROM from TO to [COUNT count:integer] [REV] [VALUES] [AFTER next]"},
    {"sluice|route", "0.1.0", "O(1)", "key"},
    {"sluice|shards", "0.1.0", "O(s), s: shards", "[keyspace]"},
    {"sluice|split", "0.1.0", "O(n), n: shards", "shard:integer [AT key]"},
    {"sluice|wait", "0.1.0", "O(1)", "projection timeout:integer"},
    {"sluice|why", "0.1.0", "O(1)"},
    {"strlen", "2.2.0", "O(1)", "key", "RO"},
    {"substr", "1.0.0", "O(n), n: bytes returned", "key start:integer end:integer", "RO access"},
    {"time", "2.6.0", "O(1)"},
    {"touch", "3.2.1", "O(n), n: keys", "key...", "RO"},
    {"ttl", "1.0.0", "O(1)", "key", "RO access"},
    {"type", "1.0.0", "O(1)", "key", "RO"},
    {"unlink", "4.0.0", "O(n), n: keys", "key...", "RM delete"},
    {"wait", "3.0.0", "O(1)", "numreplicas:integer timeout:integer"},
    {"waitaof", "7.2.0", "O(1)", "numlocal:integer numreplicas:integer timeout:integer"},
};

bool IsToken(std::string_view word) {
  return !word.empty() && word[0] >= 'A' && word[0] <= 'Z';
}

// The arguments, from left to right.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  // Up to a closing bracket or the end. `choice`: they stood apart by bars.
  std::vector<Argument> List(bool* choice) {
    std::vector<Argument> list;
    for (;;) {
      while (Take(" ")) continue;
      if (text_.empty() || text_[0] == ')' || text_[0] == ']') return list;
      if (Take("|")) {
        *choice = true;
        continue;
      }
      list.push_back(One());
    }
  }

 private:
  Argument One() {
    Argument one;
    const bool optional = Take("[");
    std::string_view word = Word();
    if (IsToken(word)) {
      one.token = one.name = word;
      one.type = "pure-token";
      const std::string_view rest = text_;
      if (Take(" ") && !text_.empty() && text_[0] >= 'a' && text_[0] <= 'z') {
        word = Word();
      } else {
        text_ = rest;
      }
    }
    if (!IsToken(word)) Named(word, &one);
    one.optional = optional;
    one.multiple = Take("...");
    SLUICE_CHECK_MSG(!optional || Take("]"), text_);
    return one;
  }

  void Named(std::string_view word, Argument* one) {
    one->name = word;
    one->type = word == "key" ? "key" : "string";
    if (Take("=(")) {
      bool choice = false;
      one->arguments = List(&choice);
      one->type = choice ? "oneof" : "block";
      SLUICE_CHECK_MSG(Take(")"), text_);
      return;
    }
    static constexpr std::array<std::string_view, 4> kTypes = {"double", "integer", "pattern",
                                                               "unix-time"};
    const size_t colon = std::min(word.rfind(':'), word.size());
    const auto type =
        std::find(kTypes.begin(), kTypes.end(), word.substr(std::min(colon + 1, word.size())));
    if (type == kTypes.end()) return;
    one->name = word.substr(0, colon);
    one->type = *type;
  }

  std::string_view Word() {
    const size_t end = std::min({text_.find_first_of(" =()[]|"), text_.find("..."), text_.size()});
    const std::string_view word = text_.substr(0, end);
    SLUICE_CHECK_MSG(!word.empty(), text_);
    text_.remove_prefix(end);
    return word;
  }

  bool Take(std::string_view what) {
    if (!text_.starts_with(what)) return false;
    text_.remove_prefix(what.size());
    return true;
  }

  std::string_view text_;
};

}  // namespace

std::span<const ManualEntry> Manual() {
  return kManual;
}

const ManualEntry* FindManual(std::string_view name) {
  const auto* found = std::lower_bound(
      std::begin(kManual), std::end(kManual), name,
      [](const ManualEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found != std::end(kManual) && found->name == name ? found : nullptr;
}

std::vector<Argument> ParseArguments(std::string_view text) {
  bool choice = false;
  return Parser(text).List(&choice);
}

}  // namespace sluice::command
