// Hot: a counter and a field of a hash that all clients add one to, most of all several times in a
// turn. Each answered write counts once and has a number of its own, one that was refused does not
// count, and one that was lost counts at most once.
#include <array>
#include <map>
#include <set>

#include "sim/workload.h"

namespace sluice::sim {
namespace {

class Hot final : public Workload {
 public:
  using Workload::Workload;

  Request Next(uint64_t session, Prng& prng) override {
    const size_t at = prng.Below(counters_.size());
    sent_[++tags_] = {at, session};
    return {counters_[at].add, tags_};
  }
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override { sent_.erase(tag); }
  void Lost(uint64_t tag) override { ++counters_[Take(tag).counter].lost; }
  void Check(Asker& ask) override;

 private:
  struct Counter {
    Command add, look;
    int64_t count = 0;          // at the last check
    std::set<int64_t> answers;  // since
    int64_t lost = 0;
  };
  struct Sent {
    size_t counter;
    uint64_t session;
  };
  Sent Take(uint64_t tag) {
    const Sent sent = sent_.at(tag);
    sent_.erase(tag);
    return sent;
  }

  std::array<Counter, 2> counters_ = {
      Counter{{"INCR", "hot:n"}, {"GET", "hot:n"}, 0, {}, 0},
      Counter{{"HINCRBY", "hot:h", "n", "1"}, {"HGET", "hot:h", "n"}, 0, {}, 0}};
  std::map<uint64_t, Sent> sent_;
  std::map<std::pair<uint64_t, size_t>, int64_t> heard_;  // last, by session and counter
  uint64_t tags_ = 0;
};

void Hot::Answered(uint64_t tag, const resp::Value& reply) {
  const Sent sent = Take(tag);
  Counter& counter = counters_[sent.counter];
  const std::string& key = counter.add[1];
  int64_t& heard = heard_[{sent.session, sent.counter}];
  if (reply.number <= heard) {
    scene_.Broken(fmt::format("{} was {} for a session, then {}", key, heard, reply.number));
  }
  heard = reply.number;
  if (reply.number <= counter.count || !counter.answers.insert(reply.number).second) {
    scene_.Broken(fmt::format("two writes to {} were answered {}", key, reply.number));
  }
}

void Hot::Check(Asker& ask) {
  for (Counter& counter : counters_) {
    const int64_t count = NumberIn(ask.Ask(counter.look)).value_or(0);
    const auto answered = static_cast<int64_t>(counter.answers.size());
    const int64_t least = counter.count + answered;
    if (count < least || count > least + counter.lost) {
      scene_.Broken(fmt::format("{} is {}; it was {}, and {} writes were answered, {} lost",
                                counter.add[1], count, counter.count, answered, counter.lost));
    }
    counter.count = count;
    counter.answers.clear();
    counter.lost = 0;
  }
}

}  // namespace

std::unique_ptr<Workload> MakeHot(Scene& scene, Prng&) {
  return std::make_unique<Hot>(scene);
}

}  // namespace sluice::sim
