// Once: increments under tokens, some sent twice, all sent again when their reply was lost. Each
// token counts once, and each of its replies is the same.
//
// A token that may have been forgotten meanwhile (its window passed, as far as anyone can know) is
// loose: what it did is bounded, and it is not sent again.
#include <map>

#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr size_t kCounters = 4;
constexpr size_t kTriesMax = 4;  // of one token, before the check
constexpr size_t kRecent = 64;   // tokens that may be sent again
constexpr uint64_t kSlackMs = 100;

class Once final : public Workload {
 public:
  Once(Scene& scene, bool producers)
      : Workload(scene), producers_(producers), counters_(kCounters) {}

  Request Next(uint64_t session, Prng& prng) override;
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override { --TokenOf(tag).sends; }
  void Lost(uint64_t) override {}
  void Check(Asker& ask) override;

 private:
  struct Token {
    uint64_t first_ms = 0, jumps = 0;  // wall clock when it was first sent
    size_t sends = 0;
    std::optional<int64_t> reply;
    bool loose = false;
  };
  struct Counter {
    std::vector<Token> tokens;
    size_t settled = 0;  // those before it count exactly once
    int64_t count = 0;   // at the last check
  };
  static uint64_t TagOf(size_t counter, size_t token) { return counter << 32 | token; }
  Token& TokenOf(uint64_t tag) { return counters_[tag >> 32].tokens[tag & 0xffffffff]; }
  static std::string KeyOf(size_t counter) { return fmt::format("once:{}", counter); }
  Command CommandOf(size_t counter, size_t token) const;
  void Look(Token& token);

  const bool producers_;
  std::vector<Counter> counters_;
};

Command Once::CommandOf(size_t counter, size_t token) const {
  Command command{"SLUICE", "ONCE"};
  if (producers_) {
    command.push_back(fmt::format("@p{}", counter));
    command.push_back(std::to_string(token + 1));
  } else {
    command.push_back(fmt::format("t{}", token));
  }
  command.insert(command.end(), {"INCR", KeyOf(counter)});
  return command;
}

// Whether its window may have passed.
void Once::Look(Token& token) {
  if (producers_ || token.sends == 0) return;
  const bool passed = scene_.log_most_ms() + kSlackMs > token.first_ms + scene_.once_window_ms;
  token.loose = token.loose || passed || token.jumps != scene_.clock_jumps;
}

Request Once::Next(uint64_t, Prng& prng) {
  const size_t at = prng.Below(kCounters);
  Counter& counter = counters_[at];
  const size_t open = counter.tokens.size() - counter.settled;
  size_t which = counter.tokens.size();
  if (open > 0 && (open >= kRecent || prng.OneIn(3))) {
    which = counter.settled + prng.Below(open);
  } else {
    counter.tokens.emplace_back();
  }
  Token& token = counter.tokens[which];
  if (token.sends == 0) {
    token.first_ms = scene_.world.clock.WallMs();
    token.jumps = scene_.clock_jumps;
  }
  Look(token);
  if (token.loose || token.sends >= kTriesMax) return {};
  ++token.sends;
  return {CommandOf(at, which), TagOf(at, which)};
}

void Once::Answered(uint64_t tag, const resp::Value& reply) {
  Token& token = TokenOf(tag);
  Look(token);
  if (token.loose) return;
  if (token.reply && *token.reply != reply.number) {
    scene_.Broken(fmt::format("token {} of {} was answered {}, then {}", tag & 0xffffffff,
                              KeyOf(tag >> 32), *token.reply, reply.number));
  }
  token.reply = reply.number;
}

void Once::Check(Asker& ask) {
  for (size_t at = 0; at < kCounters; ++at) {
    Counter& counter = counters_[at];
    int64_t least = counter.count, most = counter.count;
    std::map<int64_t, size_t> replies;
    bool loose = false;
    for (size_t i = counter.settled; i < counter.tokens.size(); ++i) {
      Token& token = counter.tokens[i];
      Look(token);
      if (!token.loose && token.sends > 0) {
        const resp::Value reply = ask.Ask(CommandOf(at, i));
        if (!reply.is_error()) {
          Answered(TagOf(at, i), reply);
          token.sends += token.loose ? 1 : 0;
        } else if (token.reply || !reply.text.starts_with("OVERLOADED reason=once_bytes")) {
          return scene_.Broken(
              fmt::format("token {} of {} is refused: {}", i, KeyOf(at), reply.text));
        } else {
          token.sends = 0;  // there is no room for it, so it is not there
        }
      }
      if (token.loose) {
        loose = true;
        least += token.reply ? 1 : 0;
        most += static_cast<int64_t>(token.sends);
      } else if (token.sends > 0) {
        ++least;
        ++most;
        if (!replies.emplace(*token.reply, i).second) {
          scene_.Broken(fmt::format("two tokens of {} were answered {}", KeyOf(at), *token.reply));
        }
      }
    }
    const int64_t count = NumberIn(ask.Ask({"GET", KeyOf(at)})).value_or(0);
    if (count < least || count > most) {
      scene_.Broken(fmt::format("{} is {}; its tokens make {} to {}{}", KeyOf(at), count, least,
                                most, loose ? ", some forgotten" : ""));
    }
    counter.count = count;
    counter.settled = counter.tokens.size();
  }
}

}  // namespace

std::unique_ptr<Workload> MakeOnce(Scene& scene, Prng& prng) {
  return std::make_unique<Once>(scene, prng.OneIn(2));
}

}  // namespace sluice::sim
