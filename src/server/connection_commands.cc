// PING ECHO QUIT RESET SELECT AUTH HELLO.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "base/text.h"
#include "server/client_name.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

constexpr std::string_view kHelloNeedsAuth =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> "
    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
    "version at the same time";

// What HELLO was asked for.
struct Greeting {
  int64_t version = 0;  // 0: as it is
  const auth::User* user = nullptr;
  std::optional<std::string_view> name;
};

// True, or the refusal is written.
bool ReadGreeting(Call& call, Greeting* greeting) {
  const command::Args args = call.args;
  if (args.size() >= 2) {
    if (!ParseInt(args[1], &greeting->version)) {
      call.reply.Error("ERR Protocol version is not an integer or out of range");
      return false;
    }
    if (greeting->version < 2 || greeting->version > 3) {
      call.reply.Error("NOPROTO unsupported protocol version");
      return false;
    }
  }
  for (size_t at = 2; at < args.size(); ++at) {
    const size_t left = args.size() - 1 - at;
    if (EqualFolded(args[at], "auth") && left >= 2) {
      greeting->user = call.session.users().Authenticate(args[at + 1], args[at + 2]);
      if (greeting->user == nullptr) return call.session.Deny(call.reply, auth::kWrongPass);
      at += 2;
    } else if (EqualFolded(args[at], "setname") && left >= 1) {
      if (!IsClientName(args[at + 1])) {
        call.reply.Error(kBadClientName);
        return false;
      }
      greeting->name = args[++at];
    } else {
      call.reply.Error(fmt::format("ERR Syntax error in HELLO option '{}'", args[at]));
      return false;
    }
  }
  return true;
}

}  // namespace

Answer Ping(Call& call) {
  if (call.args.size() > 2) {
    return Refuse(call, "ERR wrong number of arguments for 'ping' command");
  }
  if (call.args.size() == 2) {
    call.reply.Bulk(call.args[1]);
  } else {
    call.reply.Simple("PONG");
  }
  return {};
}

Answer Echo(Call& call) {
  call.reply.Bulk(call.args[1]);
  return {};
}

Answer Quit(Call& call) {
  call.session.CloseAfterReplies();
  return Okay(call);
}

Answer Reset(Call& call) {
  call.session.Reset();
  resp::Reply(call.reply.bytes(), call.client.version).Simple("RESET");
  return {};
}

Answer Select(Call& call) {
  int64_t index = 0;
  if (!ParseInt(call.args[1], &index)) return RefuseNoInteger(call);
  if (index != 0) return Refuse(call, "ERR DB index is out of range");
  return Okay(call);
}

Answer Auth(Call& call) {
  if (call.args.size() > 3) return RefuseSyntax(call);
  const bool named = call.args.size() == 3;
  const std::string_view name = named ? call.args[1] : config::kDefaultName;
  if (!named) {
    const auth::User* user = call.session.users().Find(name);
    if (user != nullptr && !user->has_password) return Refuse(call, auth::kNoPassword);
  }
  const auth::User* user = call.session.users().Authenticate(name, call.args.back());
  if (user == nullptr) {
    call.session.Deny(call.reply, auth::kWrongPass);
    return {};
  }
  call.session.LogIn(*user);
  return Okay(call);
}

Answer Hello(Call& call) {
  Greeting greeting;
  if (!ReadGreeting(call, &greeting)) return {};
  if (greeting.user != nullptr) call.session.LogIn(*greeting.user);
  if (!call.client.authenticated) {
    call.session.Deny(call.reply, kHelloNeedsAuth);
    return {};
  }
  if (greeting.name) call.client.name = *greeting.name;
  if (greeting.version != 0) call.client.version = static_cast<resp::Version>(greeting.version);
  resp::Reply reply(call.reply.bytes(), call.client.version);
  reply.Map(8);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Int(static_cast<int64_t>(call.client.version));
  reply.Bulk("id");
  reply.Int(static_cast<int64_t>(call.client.id));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
  reply.Bulk("sluice_version");
  reply.Bulk(call.context.identity.version);
  return {};
}

}  // namespace sluice::server
