// Overload: counters in keyspaces of each priority, while the node holds writes back and refuses
// them by class. What is refused says of which class it was and is not applied; what is answered
// is; and when all is well again, everybody is served.
#include <array>
#include <map>

#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr std::array<std::string_view, 3> kClasses = {"critical", "normal", "low"};
constexpr uint64_t kKeys = 3;  // of a class

class Overload final : public Workload {
 public:
  explicit Overload(Scene& scene) : Workload(scene) {}

  std::string Keyspaces(uint64_t shards) const override {
    std::string keyspaces;
    for (const std::string_view name : kClasses) {
      keyspaces += fmt::format(
          "[keyspace.over_{0}]\nkey = \"over:{0}:{{n}}\"\nshards = {1}\npriority = \"{0}\"\n", name,
          shards);
    }
    return keyspaces;
  }
  Request Next(uint64_t, Prng& prng) override {
    // Most of what comes matters least.
    constexpr size_t kWeights[] = {0, 1, 1, 1, 2, 2, 2, 2, 2, 2};
    const size_t at = kWeights[prng.Below(std::size(kWeights))] * kKeys + prng.Below(kKeys);
    sent_[++tags_] = at;
    return {{"INCR", KeyOf(at)}, tags_};
  }
  bool Foresees(const std::string& error) const override {
    return error.starts_with("OVERLOADED reason=");
  }
  void Answered(uint64_t tag, const resp::Value& reply) override {
    const size_t at = Take(tag);
    if (!reply.is_error()) {
      ++counters_[at].counted;
      return;
    }
    const std::string said = fmt::format(" class={} ", kClasses[at / kKeys]);
    if (reply.text.find(said) == std::string::npos || !reply.text.ends_with(" applied=no")) {
      scene_.Broken(fmt::format("{} was refused with {}", KeyOf(at), reply.text));
    }
  }
  void Refused(uint64_t tag) override { Take(tag); }
  void Lost(uint64_t tag) override { ++counters_[Take(tag)].lost; }
  void Check(Asker& ask) override {
    for (size_t at = 0; at < counters_.size(); ++at) {
      Counter& counter = counters_[at];
      const auto found = static_cast<uint64_t>(NumberIn(ask.Ask({"GET", KeyOf(at)})).value_or(0));
      if (found < counter.counted || found > counter.counted + counter.lost) {
        scene_.Broken(fmt::format("{} is {}: {} were answered, and {} lost", KeyOf(at), found,
                                  counter.counted, counter.lost));
      }
      counter = {found, 0};
      // All is well again.
      const resp::Value reply = ask.Ask({"INCR", KeyOf(at)});
      if (reply.is_error()) scene_.Broken(KeyOf(at) + " is still refused: " + reply.text);
      ++counter.counted;
    }
  }

 private:
  struct Counter {
    uint64_t counted = 0;  // up to here they were answered
    uint64_t lost = 0;     // may have happened
  };
  static std::string KeyOf(size_t at) {
    return fmt::format("over:{}:{}", kClasses[at / kKeys], at % kKeys);
  }
  size_t Take(uint64_t tag) {
    const size_t at = sent_.at(tag);
    sent_.erase(tag);
    return at;
  }

  std::map<uint64_t, size_t> sent_;
  uint64_t tags_ = 0;
  std::array<Counter, kClasses.size() * kKeys> counters_;
};

}  // namespace

std::unique_ptr<Workload> MakeOverload(Scene& scene, Prng&) {
  return std::make_unique<Overload>(scene);
}

}  // namespace sluice::sim
