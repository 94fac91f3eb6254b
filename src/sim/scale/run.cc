#include "sim/scale/run.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace sluice::sim::scale {
namespace {

// Ten seconds as they go by.
class Sampler {
 public:
  void Add(const Second& second) {
    wanted_ += second.wanted;
    refused_ += second.refused;
    elsewhere_ += second.refused - second.refused_named;
  }
  Sample End(const Second& last, const Totals& totals) {
    std::vector<double> nodes = last.nodes;
    std::sort(nodes.begin(), nodes.end());
    const auto count = static_cast<double>(nodes.size());
    Sample sample{.writes = wanted_ / static_cast<double>(kSampleSeconds),
                  .mean = std::accumulate(nodes.begin(), nodes.end(), 0.0) / count,
                  .p99 = nodes[static_cast<size_t>(0.99 * (count - 1))],
                  .most = nodes.back(),
                  .shard_most = last.shard_most,
                  .refused = refused_ / wanted_,
                  .refused_elsewhere = elsewhere_ / wanted_,
                  .shards = last.shards,
                  .jobs = last.jobs,
                  .totals = totals};
    wanted_ = refused_ = elsewhere_ = 0;
    return sample;
  }

 private:
  double wanted_ = 0, refused_ = 0, elsewhere_ = 0;
};

bool Calm(const Sample& sample) {
  return sample.most <= kCalmMost && sample.refused_elsewhere <= kCalmRefused;
}

// The samples of an event: from it to the next.
Outcome Judge(const Event& event, uint64_t until_s, const std::vector<Sample>& samples) {
  Outcome outcome{.calm_s = 0};
  double refused = 0, wanted = 0;
  for (uint64_t at = event.at_s; at < until_s; at += kSampleSeconds) {
    const Sample& sample = samples[at / kSampleSeconds];
    outcome.most = std::max(outcome.most, sample.most);
    refused += sample.refused * sample.writes;
    wanted += sample.writes;
    if (Calm(sample)) continue;
    outcome.calm_s = at + kSampleSeconds - event.at_s;
    if (at + kSampleSeconds >= until_s) outcome.calm_s.reset();
  }
  outcome.refused = refused / wanted;
  return outcome;
}

// Notes what the balancer warns of.
void Hear(const rebalance::Decision& decision, uint64_t at_s, std::set<rebalance::Trouble>& told,
          Result& result) {
  for (const rebalance::Warning& each : decision.warnings) {
    if (told.insert(each.trouble).second) result.warnings.push_back(each.text);
    for (size_t i = 0; i < result.events.size(); ++i) {
      const Event& event = result.events[i];
      const bool about = event.named == each.trouble && at_s >= event.at_s &&
                         each.text.find(event.about) != std::string::npos;
      auto& named = result.outcomes[i].named_s;
      if (about && !named) named = at_s - event.at_s;
    }
  }
}

}  // namespace

Result PlayScript(uint64_t seed, size_t nodes, rebalance::Mode mode, Decider decide) {
  Script script(seed, nodes);
  Plan plan = script.plan();
  plan.settings.mode = mode;
  plan.decide = std::move(decide);
  Fleet fleet(std::move(plan));
  Result result{.seed = seed, .nodes = nodes, .mode = mode, .events = script.events()};
  result.outcomes.resize(result.events.size());
  std::set<rebalance::Trouble> told;
  Sampler sampler;
  Second second;
  for (uint64_t at = 0; at < kScriptSeconds; ++at) {
    script.Play(fleet);
    fleet.Second(&second);
    if (at == 0) result.shards = second.shards;
    result.critical_refused += second.critical_refused;
    sampler.Add(second);
    if ((at + 1) % kSampleSeconds == 0) {
      result.samples.push_back(sampler.End(second, fleet.totals()));
    }
    Hear(fleet.decision(), at, told, result);
  }
  result.totals = fleet.totals();
  result.good = result.critical_refused == 0 && result.totals.misplaced == 0;
  for (size_t i = 0; i < result.events.size(); ++i) {
    const Event& event = result.events[i];
    const bool last = i + 1 == result.events.size();
    Outcome outcome =
        Judge(event, last ? kScriptSeconds : result.events[i + 1].at_s, result.samples);
    outcome.named_s = result.outcomes[i].named_s;
    outcome.good = outcome.calm_s && *outcome.calm_s <= event.calm_within_s &&
                   (!event.named || outcome.named_s);
    result.good = result.good && outcome.good;
    result.outcomes[i] = outcome;
  }
  return result;
}

}  // namespace sluice::sim::scale
