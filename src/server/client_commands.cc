// CLIENT: names, lists and ends connections.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/number.h"
#include "base/text.h"
#include "server/client_name.h"
#include "server/connections.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

// Which connections CLIENT LIST shows and CLIENT KILL ends. Owns its words: it travels to other
// lanes.
struct Choice {
  std::vector<uint64_t> ids;  // empty: all
  std::optional<std::string> peer, local, user;
  bool none = false;  // of a type of which there are no connections here
  std::optional<uint64_t> except;
};

bool Chosen(const Choice& choice, const Client& client) {
  if (choice.none || client.id == choice.except) return false;
  if (choice.peer && client.peer != *choice.peer) return false;
  if (choice.local && client.local != *choice.local) return false;
  if (choice.user && (client.user == nullptr || client.user->name != *choice.user)) return false;
  return choice.ids.empty() ||
         std::find(choice.ids.begin(), choice.ids.end(), client.id) != choice.ids.end();
}

std::string CommandName(const Client& client) {
  if (client.last == nullptr) return "NULL";
  if (client.last_sub.empty()) return std::string(client.last->name);
  return fmt::format("{}|{}", client.last->name, client.last_sub);
}

// As CLIENT LIST of Redis 7.0 has it, with the library's name and version of 7.2 behind.
std::string Describe(const Session& session, uint64_t now_us) {
  const Client& client = session.client();
  const size_t output = session.replies().bytes();
  return fmt::format(
      "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={} db=0 sub=0 psub=0 ssub=0 "
      "multi=-1 "
      "qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll={} omem={} tot-mem={} "
      "events=r cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}",
      client.id, client.peer, client.local, client.name, (now_us - client.opened_us) / 1'000'000,
      (now_us - client.active_us) / 1'000'000, client.no_evict ? "e" : "N", session.input_bytes(),
      output, session.replies().in_flight(), output,
      output + session.input_bytes() + sizeof(Session), CommandName(client),
      client.user == nullptr ? "(none)" : client.user->name, static_cast<int>(client.version),
      client.lib_name, client.lib_version);
}

Answer Id(Call& call) {
  call.reply.Int(static_cast<int64_t>(call.client.id));
  return {};
}

Answer GetName(Call& call) {
  if (call.client.name.empty()) {
    call.reply.Null();
  } else {
    call.reply.Bulk(call.client.name);
  }
  return {};
}

Answer SetName(Call& call) {
  if (!IsClientName(call.args[2])) return Refuse(call, kBadClientName);
  call.client.name = call.args[2];
  return Okay(call);
}

Answer SetInfo(Call& call) {
  const std::string_view value = call.args[3];
  const bool name = EqualFolded(call.args[2], "lib-name");
  if (!name && !EqualFolded(call.args[2], "lib-ver")) {
    return Refuse(call, fmt::format("ERR Unrecognized option '{}'", call.args[2]));
  }
  if (!IsClientName(value)) {
    return Refuse(call, fmt::format("ERR {} cannot contain spaces, newlines or special characters.",
                                    name ? "lib-name" : "lib-ver"));
  }
  (name ? call.client.lib_name : call.client.lib_version) = value;
  return Okay(call);
}

// The types of Redis. Here all connections are normal ones.
bool ReadType(Call& call, std::string_view type, Choice* choice) {
  static constexpr std::string_view kOthers[] = {"master", "replica", "slave", "pubsub"};
  if (EqualFolded(type, "normal")) return true;
  choice->none = std::any_of(std::begin(kOthers), std::end(kOthers),
                             [&](std::string_view other) { return EqualFolded(type, other); });
  if (!choice->none) call.reply.Error(fmt::format("ERR Unknown client type '{}'", type));
  return choice->none;
}

Answer ListChosen(Call& call, const Choice& choice) {
  const uint64_t now_us = call.context.clock.MonotonicUs();
  return AskLanes(
      call,
      [choice, now_us](Connections& connections) {
        std::string lines;
        connections.ForEach([&](Session& session) {
          if (Chosen(choice, session.client())) lines += Describe(session, now_us) + "\n";
        });
        return lines;
      },
      [](const std::vector<std::string>& lanes, resp::Reply& reply) {
        reply.Verbatim(fmt::format("{}", fmt::join(lanes, "")));
      });
}

Answer List(Call& call) {
  Choice choice;
  const command::Args args = call.args;
  if (args.size() == 4 && EqualFolded(args[2], "type")) {
    if (!ReadType(call, args[3], &choice)) return {};
  } else if (args.size() >= 4 && EqualFolded(args[2], "id")) {
    for (const std::string_view word : args.subspan(3)) {
      int64_t id = 0;
      if (!ParseInt(word, &id)) return Refuse(call, "ERR Invalid client ID");
      choice.ids.push_back(static_cast<uint64_t>(id));
    }
  } else if (args.size() != 2) {
    return RefuseSyntax(call);
  }
  return ListChosen(call, choice);
}

Answer ShowInfo(Call& call) {
  call.reply.Verbatim(Describe(call.session, call.context.clock.MonotonicUs()) + "\n");
  return {};
}

// One option of CLIENT KILL and its value; false if the refusal is written.
bool ReadKill(Call& call, std::string_view option, std::string_view value, Choice* choice) {
  if (EqualFolded(option, "id")) {
    int64_t id = 0;
    if (!ParseInt(value, &id) || id < 1) {
      call.reply.Error("ERR client-id should be greater than 0");
      return false;
    }
    choice->ids = {static_cast<uint64_t>(id)};
  } else if (EqualFolded(option, "addr")) {
    choice->peer = value;
  } else if (EqualFolded(option, "laddr")) {
    choice->local = value;
  } else if (EqualFolded(option, "user")) {
    if (call.session.users().Find(value) == nullptr) {
      call.reply.Error(fmt::format("ERR No such user '{}'", value));
      return false;
    }
    choice->user = value;
  } else if (EqualFolded(option, "type")) {
    return ReadType(call, value, choice);
  } else if (EqualFolded(option, "skipme") && EqualFolded(value, "yes")) {
    choice->except = call.client.id;
  } else if (EqualFolded(option, "skipme") && EqualFolded(value, "no")) {
    choice->except.reset();
  } else {
    RefuseSyntax(call);
    return false;
  }
  return true;
}

Answer Kill(Call& call) {
  Choice choice;
  const command::Args args = call.args;
  const bool old_form = args.size() == 3;
  if (old_form) {
    choice.peer = args[2];
  } else {
    choice.except = call.client.id;
    if (args.size() % 2 != 0) return RefuseSyntax(call);
    for (size_t at = 2; at < args.size(); at += 2) {
      if (!ReadKill(call, args[at], args[at + 1], &choice)) return {};
    }
  }
  const uint64_t self = call.client.id;
  return AskLanes(
      call,
      [choice, self](Connections& connections) {
        uint64_t killed = 0;
        connections.ForEach([&](Session& session) {
          if (!Chosen(choice, session.client())) return;
          ++killed;
          // Who asked hears the answer first.
          if (session.client().id == self) {
            session.CloseAfterReplies();
          } else {
            session.Kill();
          }
        });
        return std::to_string(killed);
      },
      [old_form](const std::vector<std::string>& lanes, resp::Reply& reply) {
        int64_t killed = 0;
        for (const std::string& lane : lanes) killed += std::stoll(lane);
        if (!old_form) return reply.Int(killed);
        killed > 0 ? reply.Simple("OK") : reply.Error("ERR No such client");
      });
}

Answer OnOff(Call& call, bool* flag) {
  const bool on = EqualFolded(call.args[2], "on");
  if (!on && !EqualFolded(call.args[2], "off")) return RefuseSyntax(call);
  *flag = on;
  return Okay(call);
}

Answer NoEvict(Call& call) {
  return OnOff(call, &call.client.no_evict);
}

Answer NoTouch(Call& call) {
  return OnOff(call, &call.client.no_touch);
}

Answer ReplyMode(Call& call) {
  if (EqualFolded(call.args[2], "on")) {
    call.client.replies = Replies::kOn;
    return Okay(call);
  }
  const bool off = EqualFolded(call.args[2], "off");
  if (!off && !EqualFolded(call.args[2], "skip")) return RefuseSyntax(call);
  // While all replies are off, skipping one changes nothing.
  if (off || call.client.replies != Replies::kOff) {
    call.client.replies = off ? Replies::kOff : Replies::kSkipNext;
  }
  return {};
}

Answer TrackingInfo(Call& call) {
  call.reply.Map(3);
  call.reply.Bulk("flags");
  call.reply.Set(1);
  call.reply.Bulk("off");
  call.reply.Bulk("redirect");
  call.reply.Int(-1);
  call.reply.Bulk("prefixes");
  call.reply.Array(0);
  return {};
}

Answer GetRedir(Call& call) {
  call.reply.Int(-1);
  return {};
}

Answer Tracking(Call& call) {
  if (EqualFolded(call.args[2], "off")) return Okay(call);
  if (!EqualFolded(call.args[2], "on")) return RefuseSyntax(call);
  return Refuse(call, "ERR 'CLIENT TRACKING' is not offered by Sluice: let cached values expire");
}

Answer Pause(Call& call) {
  return Refuse(call,
                "ERR CLIENT PAUSE is not offered by Sluice: a node that must not be written to is "
                "stopped, and clients wait for it");
}

Answer Unblock(Call& call) {
  int64_t id = 0;
  const bool how = call.args.size() == 4;
  if (how && !EqualFolded(call.args[3], "timeout") && !EqualFolded(call.args[3], "error")) {
    return Refuse(call, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  if (call.args.size() > 4 || !ParseInt(call.args[2], &id)) return RefuseNoInteger(call);
  call.reply.Int(0);  // nobody is blocked
  return {};
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "GETNAME | SETNAME <name>",
      "    The name of this connection.",
      "GETREDIR | TRACKINGINFO",
      "    Always off: there is no tracking.",
      "ID",
      "    The number of this connection.",
      "INFO",
      "    This connection's line of CLIENT LIST.",
      "KILL <ip:port>",
      "KILL <option> <value> [<option> <value> ...]",
      "    Ends connections, chosen by ADDR, LADDR, ID, TYPE, USER; SKIPME (yes|no).",
      "LIST [TYPE <type> | ID <id> ...]",
      "    The connections, one a line.",
      "NO-EVICT (on|off) | NO-TOUCH (on|off)",
      "    Accepted; nothing is evicted.",
      "REPLY (on|off|skip)",
      "    Whether this connection gets replies.",
      "SETINFO (LIB-NAME|LIB-VER) <value>",
      "    Which library this client is.",
      "HELP",
      "    This text.",
  };
  return Lines(call, kLines);
}

}  // namespace

std::span<const Subcommand> ClientCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"getname", 2, 0, GetName, "The name of this connection."},
      {"getredir", 2, 0, GetRedir, "-1: nothing is tracked."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"id", 2, 0, Id, "The number of this connection."},
      {"info", 2, 0, ShowInfo, "What CLIENT LIST says of this connection."},
      {"kill", -3, kAdmin, Kill, "Ends connections."},
      {"list", -2, kAdmin, List, "The connections, one a line."},
      {"no-evict", 3, kAdmin, NoEvict, "Accepted: no client is evicted."},
      {"no-touch", 3, 0, NoTouch, "Accepted: no key is evicted."},
      {"pause", -3, kAdmin, Pause, "Refused: a node that must not be written to is stopped."},
      {"reply", 3, 0, ReplyMode, "Whether this connection gets replies."},
      {"setinfo", 4, 0, SetInfo, "Which library the client uses."},
      {"setname", 3, 0, SetName, "Names this connection."},
      {"tracking", -3, 0, Tracking, "Only off: nothing is tracked."},
      {"trackinginfo", 2, 0, TrackingInfo, "Off: nothing is tracked."},
      {"unblock", -3, kAdmin, Unblock, "0: nobody is blocked."},
      {"unpause", 2, kAdmin, Pause, "Refused, as CLIENT PAUSE is."},
  };
  return kCommands;
}

}  // namespace sluice::server
