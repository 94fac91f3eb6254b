// Scans: walks by SCAN and KEYS over keys that are written and removed meanwhile. A key that is
// there from before a walk's begin until its end comes exactly once; one that never was does not
// come.
#include <map>
#include <set>

#include "base/number.h"
#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kKeys = 120;

class Scans final : public Workload {
 public:
  explicit Scans(Scene& scene) : Workload(scene) {}

  Request Next(uint64_t session, Prng& prng) override;
  bool Foresees(const std::string& error) const override {
    return error.starts_with("ERR this cursor is not known");
  }
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override { Lost(tag); }
  void Lost(uint64_t tag) override;
  void Check(Asker& ask) override;

 private:
  enum class Kind : uint8_t { kWrite, kRemove, kScan, kList };
  struct Sent {
    Kind kind;
    uint64_t key = 0, walk = 0;
  };
  // One key may be there, or must be.
  struct Key {
    bool ever = false;   // it was written, some time
    bool stays = false;  // acknowledged, and nobody removes it
    uint64_t under_way = 0;
  };
  struct Walk {
    uint64_t session = 0;
    std::string cursor = "0";
    std::set<uint64_t> stays;  // all along, so far
    std::map<uint64_t, size_t> seen;
    bool waits = false;
  };
  static std::string KeyOf(uint64_t key) { return fmt::format("scan:{}", key); }
  uint64_t Begin(uint64_t session);
  void See(Walk& walk, const resp::Value& keys);
  void End(uint64_t id);

  std::vector<Key> keys_{kKeys};
  std::map<uint64_t, Walk> walks_;
  std::map<uint64_t, Sent> sent_;
  uint64_t tags_ = 0, walk_ids_ = 0;
};

uint64_t Scans::Begin(uint64_t session) {
  Walk& walk = walks_[++walk_ids_];
  walk.session = session;
  for (uint64_t key = 0; key < kKeys; ++key) {
    if (keys_[key].stays) walk.stays.insert(key);
  }
  return walk_ids_;
}

Request Scans::Next(uint64_t session, Prng& prng) {
  if (prng.OneIn(3)) {
    for (auto& [id, walk] : walks_) {
      if (walk.session != session || walk.waits) continue;
      walk.waits = true;
      sent_[++tags_] = {Kind::kScan, 0, id};
      return {{"SCAN", walk.cursor, "MATCH", "scan:*", "COUNT", std::to_string(1 + prng.Below(20))},
              tags_};
    }
    const uint64_t id = Begin(session);
    if (!prng.OneIn(3)) return {};
    walks_[id].waits = true;
    sent_[++tags_] = {Kind::kList, 0, id};
    return {{"KEYS", "scan:*"}, tags_};
  }
  const uint64_t n = prng.Below(kKeys);
  Key& key = keys_[n];
  // Of two commands for one key that are under way together, nobody knows which is the last.
  if (key.under_way > 0) return {};
  ++key.under_way;
  if (prng.OneIn(5)) {
    key.stays = false;
    for (auto& [id, walk] : walks_) walk.stays.erase(n);
    sent_[++tags_] = {Kind::kRemove, n, 0};
    return {{"DEL", KeyOf(n)}, tags_};
  }
  key.ever = true;
  sent_[++tags_] = {Kind::kWrite, n, 0};
  return {{"SET", KeyOf(n), "x"}, tags_};
}

void Scans::Lost(uint64_t tag) {
  const Sent sent = sent_.at(tag);
  sent_.erase(tag);
  // A key that something was lost of is left alone until a check.
  if (sent.walk != 0) walks_.erase(sent.walk);
}

void Scans::See(Walk& walk, const resp::Value& keys) {
  for (const resp::Value& item : keys.items) {
    int64_t key = 0;
    const bool known = item.text.starts_with("scan:") && ParseInt(item.text.substr(5), &key) &&
                       key >= 0 && static_cast<uint64_t>(key) < kKeys;
    if (!known || !keys_[static_cast<uint64_t>(key)].ever) {
      return scene_.Broken("a walk names a key that never was: " + item.text);
    }
    ++walk.seen[static_cast<uint64_t>(key)];
  }
}

void Scans::End(uint64_t id) {
  const Walk& walk = walks_.at(id);
  for (const uint64_t key : walk.stays) {
    const auto seen = walk.seen.find(key);
    const size_t times = seen == walk.seen.end() ? 0 : seen->second;
    if (times != 1) {
      scene_.Broken(fmt::format("walk {} met {} {} times", id, KeyOf(key), times));
    }
  }
  walks_.erase(id);
}

void Scans::Answered(uint64_t tag, const resp::Value& reply) {
  if (reply.is_error()) return Lost(tag);
  const Sent sent = sent_.at(tag);
  sent_.erase(tag);
  if (sent.kind == Kind::kWrite || sent.kind == Kind::kRemove) {
    Key& key = keys_[sent.key];
    --key.under_way;
    if (sent.kind == Kind::kWrite) key.stays = true;
    return;
  }
  Walk& walk = walks_.at(sent.walk);
  walk.waits = false;
  if (sent.kind == Kind::kList) {
    See(walk, reply);
    return End(sent.walk);
  }
  See(walk, reply.items[1]);
  walk.cursor = reply.items[0].text;
  if (walk.cursor == "0") End(sent.walk);
}

void Scans::Check(Asker& ask) {
  const resp::Value all = ask.Ask({"KEYS", "scan:*"});
  std::set<std::string> there;
  for (const resp::Value& key : all.items) there.insert(key.text);
  if (there.size() != all.items.size()) scene_.Broken("KEYS names a key twice");
  for (uint64_t n = 0; n < kKeys; ++n) {
    Key& key = keys_[n];
    const bool found = there.contains(KeyOf(n));
    if (key.stays && !found) scene_.Broken(KeyOf(n) + " is gone");
    key.stays = found;
    key.under_way = 0;
  }
  walks_.clear();
}

}  // namespace

std::unique_ptr<Workload> MakeScans(Scene& scene, Prng&) {
  return std::make_unique<Scans>(scene);
}

}  // namespace sluice::sim
