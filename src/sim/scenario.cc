#include "sim/scenario.h"

#include <fmt/format.h>

#include "base/check.h"
#include "config/settings.h"

namespace sluice::sim {
namespace {

constexpr size_t kClientsMost = 8;
constexpr size_t kLivesMost = 20;
constexpr uint64_t kLifeStepsMost = 8000;

// Each with a chance of one in so many.
template <class Kind>
std::vector<const Kind*> Some(std::span<const Kind> kinds, uint64_t one_in, Prng& prng) {
  std::vector<const Kind*> some;
  for (const Kind& kind : kinds) {
    if (prng.OneIn(one_in)) some.push_back(&kind);
  }
  return some;
}

template <class Kind>
std::string Names(const std::vector<const Kind*>& kinds) {
  std::string names;
  for (const Kind* kind : kinds) names += (names.empty() ? "" : ",") + std::string(kind->name);
  return names.empty() ? "none" : names;
}

// Values of a section's settings, for Overrides.
template <class S>
void Roughen(std::string_view section, std::span<const config::Setting<S>> settings, Prng& prng,
             std::vector<std::string>* set) {
  for (const config::SettingFacts& setting : settings) {
    size_t values = 0;
    while (values < setting.rough.size() && !setting.rough[values].empty()) ++values;
    if (values == 0 || prng.OneIn(3)) continue;
    set->push_back(
        fmt::format("{}.{}={}", section, setting.name, setting.rough[prng.Below(values)]));
  }
}

}  // namespace

std::string Scenario::Describe() const {
  return fmt::format("--workloads {} --faults {} ({} clients, {} lives of {} steps)",
                     Names(workloads), Names(faults), clients, lives, life_steps);
}

Scenario DrawScenario(uint64_t seed, const Choice& choice) {
  Prng prng(seed);
  Scenario scenario;
  scenario.seed = seed;
  const std::span<const WorkloadKind> kinds = AllWorkloads();
  scenario.workloads = Some(kinds.first(kinds.size() - 1), 2, prng);
  // One that disturbs the others runs alone, and seldom.
  const bool alone = prng.OneIn(8);
  std::erase_if(scenario.workloads, [&](const auto* kind) { return kind->alone != alone; });
  if (scenario.workloads.empty()) scenario.workloads.push_back(&AllWorkloads().front());
  if (alone) scenario.workloads.resize(1);
  scenario.faults = Some(AllFaults(), 3, prng);
  scenario.clients = 1 + prng.Below(kClientsMost);
  scenario.lives = 2 + prng.Below(kLivesMost - 1);
  scenario.life_steps = 100 + prng.Below(kLifeStepsMost);
  // Last, so that a seed draws the rest as if there were none.
  if (!alone && prng.OneIn(4)) scenario.workloads.push_back(&kinds.back());
  if (!choice.workloads.empty()) scenario.workloads = choice.workloads;
  if (!choice.faults.empty()) scenario.faults = choice.faults;
  return scenario;
}

MachineOptions DrawOptions(const std::string& keyspaces, Prng& prng) {
  config::Overrides overrides;
  Roughen("server", config::ServerSettings(), prng, &overrides.set);
  Roughen("log", config::LogSettings(), prng, &overrides.set);
  auto loaded = config::Load(keyspaces, "sim.toml", overrides);
  SLUICE_CHECK_MSG(loaded.has_value(), loaded.has_value() ? "" : loaded.error().message);
  MachineOptions options;
  options.config = std::move(*loaded);
  if (options.config.server.lanes == 0) options.config.server.lanes = 2;
  constexpr uint64_t kSegments[] = {64 << 10, 64 << 10, 100 << 10, 1 << 20};
  options.segment_bytes = kSegments[prng.Below(std::size(kSegments))];
  constexpr size_t kBuffers[] = {1, 1 << 10, 16 << 10, 256 << 10};
  options.buffer_bytes = kBuffers[prng.Below(std::size(kBuffers))];
  options.recent_bytes = size_t{1} << prng.Below(17);
  options.log_bytes = uint64_t{1} << (10 + prng.Below(10));
  options.once_bytes = prng.OneIn(8) ? 2 << 10 : 1 << 20;
  options.queue_bytes = size_t{1} << prng.Below(18);
  return options;
}

}  // namespace sluice::sim
