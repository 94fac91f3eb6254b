#include "sim/clients.h"

#include <fmt/format.h>

namespace sluice::sim {
namespace {

constexpr size_t kPipelineMax = 8;  // commands a client has under way

// What a peek may look at: n names the key and, above it, the client.
struct Peeked {
  std::string_view key;
  size_t kind;  // of the writes to it
};
constexpr Peeked kPeeked[] = {{"counter", 0}, {"register", 1}, {"pair:a", 3}, {"pair:b", 3}};

// Asks for a number that a key holds; 0 when there is none.
uint64_t AskNumber(const Clients::Ask& ask, const std::vector<std::string>& command) {
  const std::string text = ask(command);
  return text.empty() ? 0 : std::stoull(text);
}

}  // namespace

std::string Encode(const std::vector<std::string>& command) {
  std::string bytes = fmt::format("*{}\r\n", command.size());
  for (const std::string& word : command) {
    bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
  }
  return bytes;
}

Clients::Clients(size_t clients, size_t rounds, Mix mix, uint64_t seed)
    : rounds_(rounds), mix_(mix) {
  Prng prng(seed);
  for (size_t i = 0; i < clients; ++i) clients_.emplace_back(prng());
}

std::vector<std::string> Clients::CommandOf(size_t client, Kind kind, uint64_t n) const {
  const std::string number = std::to_string(n);
  const auto key = [&](std::string_view what) { return fmt::format("{}:{}", what, client); };
  switch (kind) {
    case Kind::kCounter:
      return {"INCR", key("counter")};
    case Kind::kRegister:
      return {"SET", key("register"), number};
    case Kind::kLadder:
      return {"SET", fmt::format("{{ladder:{}}}:{}", client, n), number};
    case Kind::kPair:
      return {"MSET", key("pair:a"), number, key("pair:b"), number};
    case Kind::kHash:
      return {"HSET", key("hash"), "f" + number, number + std::string(40, 'x')};
    case Kind::kOnce:
      return {"SLUICE", "ONCE", fmt::format("t{}-{}", client, n), "INCR", key("once")};
    case Kind::kShared:
      return {"INCR", "shared"};
    case Kind::kPeek:
      return {"GET", fmt::format("{}:{}", kPeeked[n % 4].key, n / 4)};
    case Kind::kFlush:
      return {"FLUSHALL"};
  }
  return {};
}

Clients::Kind Clients::NextKind(Client& client) const {
  switch (mix_) {
    case Mix::kPairs:
      return client.prng.OneIn(2) ? Kind::kPair : Kind::kPeek;
    case Mix::kOnce:
      return Kind::kOnce;
    case Mix::kFlushes:
      if (client.prng.OneIn(4)) return Kind::kFlush;
      return client.prng.OneIn(4) ? Kind::kRegister : Kind::kPair;
    case Mix::kAll:
      break;
  }
  return static_cast<Kind>(client.prng.Below(kKindsOfAll));
}

uint64_t Clients::NextNumber(Client& client, Kind kind) {
  if (kind == Kind::kPeek) return client.prng.Below(clients_.size() * 4);
  return ++client.numbers[static_cast<size_t>(kind)];
}

void Clients::NotePeek(uint64_t peeked, std::string_view value) {
  if (value.empty()) return;
  uint64_t& acked = clients_[peeked / 4].acked[kPeeked[peeked % 4].kind];
  acked = std::max<uint64_t>(acked, std::stoull(std::string(value)));
}

std::optional<std::string> Clients::Step(Network& network) {
  const size_t index = clients_.front().prng.Below(clients_.size());
  Client& client = clients_[index];
  client.inbox += network.Take(index);
  if (auto broken = TakeReplies(index, client)) return broken;
  if (client.sent == rounds_ || client.under_way.size() >= kPipelineMax) return std::nullopt;
  std::string bytes;
  for (size_t i = 1 + client.prng.Below(4); i > 0 && client.sent < rounds_; --i) {
    const Kind kind = NextKind(client);
    const uint64_t n = NextNumber(client, kind);
    if (kind == Kind::kOnce) client.tokens.push_back(n);
    if (kind == Kind::kShared) ++shared_sent_;
    client.under_way.push_back({kind, n});
    bytes += Encode(CommandOf(index, kind, n));
    ++client.sent;
  }
  network.Send(index, bytes);
  return std::nullopt;
}

std::optional<std::string> Clients::TakeReplies(size_t index, Client& client) {
  resp::Value reply;
  while (true) {
    size_t consumed = 0;
    const auto got = client.decoder.Next(client.inbox, &consumed, &reply);
    client.inbox.erase(0, consumed);
    if (got == resp::Decoder::Got::kNeedMore) return std::nullopt;
    if (got == resp::Decoder::Got::kError) return "bytes that are no reply";
    if (client.under_way.empty()) return "a reply that nobody asked for";
    const Sent sent = client.under_way.front();
    client.under_way.erase(client.under_way.begin());
    const std::string what =
        fmt::format("client {} kind {} number {}", index, static_cast<int>(sent.kind), sent.n);
    if (reply.is_error()) return what + ": " + reply.text;
    if (sent.kind == Kind::kCounter && static_cast<uint64_t>(reply.number) != sent.n) {
      return fmt::format("{}: the counter answered {}", what, reply.number);
    }
    if (sent.kind == Kind::kOnce) std::erase(client.tokens, sent.n);
    if (sent.kind == Kind::kShared) {
      shared_told_ = std::max<uint64_t>(shared_told_, static_cast<uint64_t>(reply.number));
    }
    if (sent.kind == Kind::kPeek) {
      NotePeek(sent.n, reply.text);
    } else {
      uint64_t& acked = client.acked[static_cast<size_t>(sent.kind)];
      acked = std::max(acked, sent.n);
    }
  }
}

bool Clients::Done() const {
  return std::all_of(clients_.begin(), clients_.end(), [&](const Client& client) {
    return client.sent == rounds_ && client.under_way.empty();
  });
}

void Clients::Reconnect() {
  for (Client& client : clients_) {
    client.inbox.clear();
    client.decoder = resp::Decoder();
    client.under_way.clear();
  }
}

std::optional<std::string> Clients::Check(const Ask& ask) {
  for (size_t i = 0; i < clients_.size(); ++i) {
    if (auto broken = CheckClient(i, clients_[i], ask)) return broken;
  }
  const uint64_t shared = AskNumber(ask, {"GET", "shared"});
  if (shared < shared_told_ || shared > shared_sent_) {
    return fmt::format("the shared counter is {}; told {}, sent {}", shared, shared_told_,
                       shared_sent_);
  }
  shared_sent_ = shared;  // what is lost now stays lost
  return std::nullopt;
}

std::optional<std::string> Clients::CheckClient(size_t index, Client& client, const Ask& ask) {
  const auto key = [&](std::string_view what) { return fmt::format("{}:{}", what, index); };
  const auto found = [&](Kind kind, std::string_view name,
                         uint64_t value) -> std::optional<std::string> {
    uint64_t& sent = client.numbers[static_cast<size_t>(kind)];
    uint64_t& acked = client.acked[static_cast<size_t>(kind)];
    if (value < acked || value > sent) {
      return fmt::format("{} of client {} is {}; acknowledged {}, sent {}", name, index, value,
                         acked, sent);
    }
    sent = acked = value;  // what is lost now stays lost, and what is there stays there
    return std::nullopt;
  };
  if (auto b = found(Kind::kCounter, "counter", AskNumber(ask, {"GET", key("counter")}))) return b;
  if (auto b = found(Kind::kRegister, "register", AskNumber(ask, {"GET", key("register")}))) {
    return b;
  }
  const uint64_t sent = client.numbers[static_cast<size_t>(Kind::kLadder)];
  uint64_t rungs = 0;
  for (uint64_t n = 1; n <= sent; ++n) {
    const std::string rung = ask({"GET", fmt::format("{{ladder:{}}}:{}", index, n)});
    if (rung.empty()) continue;
    if (rung != std::to_string(n) || rungs != n - 1) {
      return fmt::format("client {}: rung {} is there, but {} of those before it", index, n, rungs);
    }
    ++rungs;
  }
  if (auto b = found(Kind::kLadder, "ladder", rungs)) return b;
  const uint64_t a = AskNumber(ask, {"GET", key("pair:a")});
  const uint64_t b = AskNumber(ask, {"GET", key("pair:b")});
  if (a != b) return fmt::format("client {}: the pair is {} and {}", index, a, b);
  if (auto broken = found(Kind::kPair, "pair", a)) return broken;
  if (auto broken = found(Kind::kHash, "hash", AskNumber(ask, {"HLEN", key("hash")}))) {
    return broken;
  }
  const uint64_t fields = client.numbers[static_cast<size_t>(Kind::kHash)];
  if (fields > 0 && ask({"HGET", key("hash"), fmt::format("f{}", fields)}).empty()) {
    return fmt::format("client {}: field {} of {} is missing", index, fields, fields);
  }
  // A retry of what may or may not have happened makes it happen, once.
  for (const uint64_t token : client.tokens) ask(CommandOf(index, Kind::kOnce, token));
  client.tokens.clear();
  const uint64_t once = AskNumber(ask, {"GET", key("once")});
  const uint64_t tokens = client.numbers[static_cast<size_t>(Kind::kOnce)];
  if (once != tokens) {
    return fmt::format("client {}: {} tokens were used, the counter is {}", index, tokens, once);
  }
  return std::nullopt;
}

}  // namespace sluice::sim
