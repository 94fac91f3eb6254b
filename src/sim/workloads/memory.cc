// Memory: an append-only keyspace with ack = "memory". A crash may take what was not synced, but
// nothing that was answered before a durable write was sent that has been answered; without one,
// nothing that was answered.
#include <algorithm>
#include <map>

#include "sim/workload.h"

namespace sluice::sim {
namespace {

class Memory final : public Workload {
 public:
  explicit Memory(Scene& scene) : Workload(scene) {}

  std::string Keyspaces(uint64_t shards) const override {
    return fmt::format(
        "[keyspace.event]\nkey = \"event:{{session}}:{{n}}\"\nshard = \"hash(session)\"\n"
        "shards = {}\nack = \"memory\"\nappend_only = true\n",
        shards);
  }
  Request Next(uint64_t session, Prng& prng) override;
  bool Foresees(const std::string& error) const override {
    return error.starts_with("ERR keyspace is append-only");
  }
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override;
  void Lost(uint64_t tag) override { sent_.erase(tag); }
  void Ended() override { ended_ = true; }
  void Check(Asker& ask) override;

 private:
  enum class Kind : uint8_t { kAppend, kFence, kRemove };
  struct Sent {
    Kind kind;
    uint64_t session, n;
  };
  struct Events {
    uint64_t checked = 0;   // events up to here were judged before,
    uint64_t sent = 0;      // up to here they were sent,
    uint64_t answered = 0;  // answered,
    uint64_t certain = 0;   // and witnessed by a durable write
    std::vector<uint64_t> refused;
  };
  static std::string KeyOf(uint64_t session, uint64_t n) {
    return fmt::format("event:{}:{}", session, n);
  }

  std::map<uint64_t, Events> sessions_;
  std::map<uint64_t, Sent> sent_;
  uint64_t tags_ = 0;
  bool ended_ = false;  // a process did, since the last check
};

Request Memory::Next(uint64_t session, Prng& prng) {
  Events& events = sessions_[session];
  if (prng.OneIn(6)) {
    sent_[++tags_] = {Kind::kFence, session, events.answered};
    return {{"SET", fmt::format("fence:{}", session), std::to_string(events.answered)}, tags_};
  }
  if (events.answered > 0 && prng.OneIn(12)) {
    sent_[++tags_] = {Kind::kRemove, session, events.answered};
    return {{"DEL", KeyOf(session, events.answered)}, tags_};
  }
  sent_[++tags_] = {Kind::kAppend, session, ++events.sent};
  return {{"SET", KeyOf(session, events.sent), std::to_string(events.sent)}, tags_};
}

void Memory::Answered(uint64_t tag, const resp::Value& reply) {
  const Sent sent = sent_.at(tag);
  sent_.erase(tag);
  Events& events = sessions_.at(sent.session);
  if (reply.is_error() != (sent.kind == Kind::kRemove)) {
    return scene_.Broken(
        fmt::format("{} was answered {}", KeyOf(sent.session, sent.n), TextOf(reply)));
  }
  if (sent.kind == Kind::kAppend) events.answered = sent.n;
  if (sent.kind == Kind::kFence) events.certain = std::max(events.certain, sent.n);
}

void Memory::Refused(uint64_t tag) {
  const Sent sent = sent_.at(tag);
  sent_.erase(tag);
  if (sent.kind == Kind::kAppend) sessions_.at(sent.session).refused.push_back(sent.n);
}

void Memory::Check(Asker& ask) {
  for (auto& [session, events] : sessions_) {
    std::vector<Command> commands;
    for (uint64_t n = events.checked + 1; n <= events.sent; ++n) {
      commands.push_back({"EXISTS", KeyOf(session, n)});
    }
    if (commands.empty()) continue;
    const auto replies = ask.AskAll(commands);
    const uint64_t least = ended_ ? events.certain : events.answered;
    for (uint64_t n = events.checked + 1; n <= events.sent; ++n) {
      const bool there = replies[n - events.checked - 1].number == 1;
      const bool refused =
          std::find(events.refused.begin(), events.refused.end(), n) != events.refused.end();
      if (refused && there) scene_.Broken(KeyOf(session, n) + " was refused, and is there");
      if (!refused && !there && n <= least) scene_.Broken(KeyOf(session, n) + " is gone");
    }
    events.checked = events.sent;
    events.refused.clear();
  }
  ended_ = false;
}

}  // namespace

std::unique_ptr<Workload> MakeMemory(Scene& scene, Prng&) {
  return std::make_unique<Memory>(scene);
}

}  // namespace sluice::sim
