// Expiry: keys that are to end at a given time. Before it, as far as any clock of the node can have
// come, they are there; after it they are not; and what has ended stays ended over restarts.
#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr size_t kKeys = 8;
constexpr uint64_t kLifeMsMost = 3000;

class Expiry final : public Workload {
 public:
  explicit Expiry(Scene& scene) : Workload(scene), keys_(kKeys) {}

  Request Next(uint64_t session, Prng& prng) override;
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override { keys_[tag].busy = false; }
  void Lost(uint64_t) override {}  // it stays busy until a check
  void Check(Asker& ask) override;

 private:
  // What a key may hold: a number until a time; 0: nothing.
  struct Content {
    int64_t number = 0;
    uint64_t ends_ms = 0;  // 0: it stays
  };
  enum class Kind : uint8_t { kSet, kSetForGood, kGet, kPersist, kRemove };
  struct Key {
    Content now;
    Content next;  // once the command under way has happened
    Kind kind = Kind::kGet;
    uint64_t sent_ms = 0, jumps = 0;
    bool busy = false;
  };
  static std::string KeyOf(size_t key) { return fmt::format("expiry:{}", key); }
  bool MayBeGone(const Content& content) const {
    return content.number == 0 || (content.ends_ms != 0 && content.ends_ms <= scene_.log_most_ms());
  }
  // Log time is not before the wall clock of when the command was sent, unless that went back.
  bool MayBeThere(const Content& content, const Key& key) const {
    return content.number != 0 && (content.ends_ms == 0 || content.ends_ms > key.sent_ms ||
                                   key.jumps != scene_.clock_jumps);
  }
  bool Explains(const Content& content, const Key& key, std::optional<int64_t> seen) const {
    return seen ? *seen == content.number && MayBeThere(content, key) : MayBeGone(content);
  }
  void Stamp(Key& key) const {
    key.sent_ms = scene_.world.clock.WallMs();
    key.jumps = scene_.clock_jumps;
  }

  std::vector<Key> keys_;
  int64_t numbers_ = 0;
};

Request Expiry::Next(uint64_t, Prng& prng) {
  const size_t at = prng.Below(kKeys);
  Key& key = keys_[at];
  if (key.busy) return {};
  key.busy = true;
  key.kind = static_cast<Kind>(prng.Below(5));
  Stamp(key);
  key.next = key.now;
  switch (key.kind) {
    case Kind::kSet:
      key.next = {++numbers_, key.sent_ms + 1 + prng.Below(kLifeMsMost)};
      return {
          {"SET", KeyOf(at), std::to_string(numbers_), "PXAT", std::to_string(key.next.ends_ms)},
          at};
    case Kind::kSetForGood:
      key.next = {++numbers_, 0};
      return {{"SET", KeyOf(at), std::to_string(numbers_)}, at};
    case Kind::kGet:
      return {{"GET", KeyOf(at)}, at};
    case Kind::kPersist:
      key.next.ends_ms = 0;
      return {{"PERSIST", KeyOf(at)}, at};
    case Kind::kRemove:
      key.next = {};
      return {{"DEL", KeyOf(at)}, at};
  }
  return {};
}

void Expiry::Answered(uint64_t tag, const resp::Value& reply) {
  Key& key = keys_[tag];
  key.busy = false;
  const std::optional<int64_t> number = NumberIn(reply);
  if (key.kind == Kind::kGet) {
    if (!Explains(key.now, key, number)) {
      scene_.Broken(fmt::format("{} is {}; it was {} until {}, and the log's time is {} to {}",
                                KeyOf(tag), TextOf(reply), key.now.number, key.now.ends_ms,
                                key.sent_ms, scene_.log_most_ms()));
    }
    if (!number) key.now = {};
    return;
  }
  if (key.kind == Kind::kPersist && number == 0) {
    // It stays anyway, or it is gone.
    if (key.now.ends_ms == 0) return;
    if (!MayBeGone(key.now)) scene_.Broken(KeyOf(tag) + " could not be kept");
    key.next = {};
  }
  if (key.kind == Kind::kPersist && number == 1 && !MayBeThere(key.now, key)) {
    scene_.Broken(KeyOf(tag) + " was kept after its end");
  }
  key.now = key.next;
}

void Expiry::Check(Asker& ask) {
  for (size_t at = 0; at < kKeys; ++at) {
    Key& key = keys_[at];
    const Key before = key;
    Stamp(key);
    const resp::Value reply = ask.Ask({"GET", KeyOf(at)});
    const std::optional<int64_t> seen = NumberIn(reply);
    const bool old = Explains(before.now, key, seen);
    const bool fresh = before.busy && Explains(before.next, key, seen);
    if (!old && !fresh) {
      scene_.Broken(fmt::format("{} is {}; it was {} until {}{}", KeyOf(at), TextOf(reply),
                                before.now.number, before.now.ends_ms,
                                before.busy ? ", or the lost command's" : ""));
    }
    key.busy = false;
    if (!seen) {
      key.now = {};
    } else if (!old) {
      key.now = before.next;
    }
    // Whether a lost PERSIST happened is not seen in the value.
    if (before.busy && before.kind == Kind::kPersist && seen) {
      const int64_t ends_ms = ask.Ask({"PEXPIRETIME", KeyOf(at)}).number;
      const bool ended = ends_ms == -2;  // since it was seen
      if (ended && !MayBeGone(before.now)) scene_.Broken(KeyOf(at) + " ended before its time");
      if (ended) key.now = {};
      if (!ended) key.now = {*seen, static_cast<uint64_t>(std::max<int64_t>(0, ends_ms))};
    }
  }
}

}  // namespace

std::unique_ptr<Workload> MakeExpiry(Scene& scene, Prng&) {
  return std::make_unique<Expiry>(scene);
}

}  // namespace sluice::sim
