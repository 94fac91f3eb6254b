// sluice-sim [--workloads A,B] [--faults C,D] SEED…: runs a node under each seed; a failure prints
// the last steps and the command that repeats it.

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "sim/world.h"

namespace sluice::sim {
namespace {

constexpr const char* kUsage =
    "usage: sluice-sim [--workloads NAME,…] [--faults NAME,…] SEED…\n"
    "The seed chooses what is not named. `--faults none`: nothing goes wrong.\n";

// A commit's hash is a seed as well: what is no number is folded into one.
uint64_t SeedOf(const std::string& word) {
  uint64_t seed = 0;
  const char* end = word.data() + word.size();
  const auto parsed = std::from_chars(word.data(), end, seed);
  if (parsed.ec == std::errc() && parsed.ptr == end) return seed;
  for (const char c : word) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return seed;
}

// The kinds that a list names; false: one of them is unknown.
template <class Kind>
bool Find(std::span<const Kind> kinds, const std::string& names, std::vector<const Kind*>* found) {
  for (size_t at = 0; at <= names.size();) {
    const size_t comma = std::min(names.find(',', at), names.size());
    const std::string name = names.substr(at, comma - at);
    at = comma + 1;
    bool known = false;
    for (const Kind& kind : kinds) {
      if (kind.name != name) continue;
      found->push_back(&kind);
      known = true;
    }
    if (known) continue;
    fmt::print(stderr, "sluice-sim: there is no '{}'; there are:\n", name);
    for (const Kind& kind : kinds) fmt::print(stderr, "  {:<10} {}\n", kind.name, kind.what);
    return false;
  }
  return true;
}

bool RunSeed(const std::string& word, const Scenario& scenario, const std::string& options) {
  World world(scenario, {}, false);
  world.Run();
  if (world.scene().held()) {
    fmt::print("seed {}: held; {}\n", word, scenario.Describe());
    return true;
  }
  // Once more, to tell how it came: the same seed is the same run.
  World again(scenario, {}, true);
  again.Run();
  fmt::print("seed {}: BROKEN; {}\n", word, scenario.Describe());
  for (const std::string& line : again.scene().trace()) fmt::print("  {}\n", line);
  if (again.scene().broken() != world.scene().broken()) {
    fmt::print("and it did not repeat: {}\n", *world.scene().broken());
  }
  fmt::print("{}\nrepeat it with: ./dev sim {}{}\n", *world.scene().broken(), options, word);
  return false;
}

int Main(int argc, char** argv) {
  Choice choice;
  bool calm = false;
  std::string options;
  int failed = 0, passed = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool workloads = word == "--workloads";
    if (workloads || word == "--faults") {
      if (i + 1 == argc) break;
      const std::string names = argv[++i];
      options += word + " " + names + " ";
      calm = !workloads && names == "none";
      const bool good = calm || (workloads ? Find(AllWorkloads(), names, &choice.workloads)
                                           : Find(AllFaults(), names, &choice.faults));
      if (!good) return 2;
      continue;
    }
    if (word.starts_with('-')) break;
    Scenario scenario = DrawScenario(SeedOf(word), choice);
    if (calm) scenario.faults.clear();
    ++(RunSeed(word, scenario, options) ? passed : failed);
  }
  if (passed + failed == 0) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::sim

int main(int argc, char** argv) {
  return sluice::sim::Main(argc, argv);
}
