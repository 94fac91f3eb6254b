// Blind: each connection writes numbers to a few keys of one shard, in turn, with plain SETs. What
// a crash leaves is a prefix over all of them, and at least what was acknowledged.
#include <deque>

#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kKeys = 12;  // of a track
constexpr size_t kTracks = 8;

class Blind final : public Workload {
 public:
  explicit Blind(Scene& scene) : Workload(scene), tracks_(kTracks) {}

  Request Next(uint64_t session, Prng& prng) override {
    const size_t at = prng.Below(kTracks);
    Track& track = tracks_[at];
    const bool taken = !track.under_way.empty() && track.session != session;
    if (track.frozen || taken) return {};
    track.session = session;
    track.under_way.push_back(++track.sent);
    return {{"SET", KeyOf(at, track.sent), std::to_string(track.sent)}, at};
  }
  void Answered(uint64_t tag, const resp::Value&) override {
    Track& track = tracks_[tag];
    track.written[track.under_way.front() % kKeys] = track.under_way.front();
    track.under_way.pop_front();
  }
  void Refused(uint64_t tag) override { tracks_[tag].under_way.pop_front(); }
  void Lost(uint64_t tag) override { tracks_[tag].frozen = true; }
  void Check(Asker& ask) override {
    for (size_t i = 0; i < kTracks; ++i) CheckTrack(i, ask);
  }

 private:
  struct Track {
    uint64_t session = 0, sent = 0;
    std::deque<uint64_t> under_way;
    uint64_t written[kKeys] = {};  // by key: the greatest number that was acknowledged
    bool frozen = false;           // something was lost: nobody writes until a check
  };
  static std::string KeyOf(size_t track, uint64_t n) {
    return fmt::format("blind:{{{}}}:{}", track, n % kKeys);
  }

  void CheckTrack(size_t at, Asker& ask) {
    Track& track = tracks_[at];
    std::vector<Command> commands;
    for (uint64_t key = 0; key < kKeys; ++key) commands.push_back({"GET", KeyOf(at, key)});
    const auto replies = ask.AskAll(commands);
    uint64_t found[kKeys] = {}, last = 0;
    for (uint64_t key = 0; key < kKeys; ++key) {
      found[key] = static_cast<uint64_t>(NumberIn(replies[key]).value_or(0));
      last = std::max(last, found[key]);
    }
    // What the prefix up to `last` leaves; of what was refused, any part may be missing.
    for (const uint64_t n : track.under_way) {
      if (n <= last && !(scene_.refusals && found[n % kKeys] != n)) track.written[n % kKeys] = n;
    }
    for (uint64_t key = 0; key < kKeys; ++key) {
      if (found[key] == track.written[key]) continue;
      scene_.Broken(fmt::format("{} is {}; {} is there, so it should be {}", KeyOf(at, key),
                                found[key], last, track.written[key]));
    }
    track.under_way.clear();
    track.frozen = false;
  }

  std::vector<Track> tracks_;
};

}  // namespace

std::unique_ptr<Workload> MakeBlind(Scene& scene, Prng&) {
  return std::make_unique<Blind>(scene);
}

}  // namespace sluice::sim
