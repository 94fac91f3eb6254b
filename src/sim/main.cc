// sluice-sim [--workloads A,B] [--faults C,D] [--trace N] SEED…: runs a node under each seed; a
// failure prints the last steps and the command that repeats it. sluice-sim --scale …: a fleet.

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "sim/scale/scale_main.h"
#include "sim/world.h"

namespace sluice::sim {
namespace {

constexpr size_t kNotesUsual = 60;
constexpr const char* kUsage =
    "usage: sluice-sim [--workloads NAME,…] [--faults NAME,…] [--trace LINES] SEED…\n"
    "The seed chooses what is not named. `--faults none`: nothing goes wrong. `--trace`: how many\n"
    "of the last things that happened a failure shows.\n"
    "       sluice-sim --scale …     a fleet of nodes and its balancer\n";

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

// What the command line says.
struct Wanted {
  Choice choice;
  bool calm = false;    // no faults
  std::string options;  // as they were given
  size_t notes = kNotesUsual;
  std::vector<std::string> seeds;
};

// False when it makes no sense, or names what is not there.
bool Read(int argc, char** argv, Wanted* wanted) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with('-')) {
      wanted->seeds.push_back(word);
      continue;
    }
    if (i + 1 == argc) return false;
    const std::string value = argv[++i];
    if (word == "--trace") {
      wanted->notes = SeedOf(value);
      continue;
    }
    wanted->options += word + " " + value + " ";
    if (word == "--workloads") {
      if (!Find(AllWorkloads(), value, &wanted->choice.workloads)) return false;
    } else if (word == "--faults") {
      wanted->calm = value == "none";
      if (!wanted->calm && !Find(AllFaults(), value, &wanted->choice.faults)) return false;
    } else {
      return false;
    }
  }
  return !wanted->seeds.empty();
}

bool RunSeed(const std::string& word, const Wanted& wanted) {
  Scenario scenario = DrawScenario(SeedOf(word), wanted.choice);
  if (wanted.calm) scenario.faults.clear();
  World world(scenario, {}, 0);
  world.Run();
  if (world.scene().held()) {
    const World::Seen& seen = world.seen();
    fmt::print(
        "seed {}: held; {}; {} calls to the disk, {} starts ({} failed, {} tails cut, {} written "
        "again), {} log failures, {} runs stored, {} writes folded, {} jobs\n",
        word, scenario.Describe(), world.disk_calls(), world.scene().starts, seen.failed_starts,
        seen.torn_tails, seen.rewritten_tails, seen.log_failures, seen.runs_stored, seen.folded,
        seen.reshaped);
    return true;
  }
  // Once more, to tell how it came: the same seed is the same run.
  World again(scenario, {}, wanted.notes);
  again.Run();
  fmt::print("seed {}: BROKEN; {}\n", word, scenario.Describe());
  for (const std::string& line : again.scene().trace()) fmt::print("  {}\n", line);
  if (again.scene().broken() != world.scene().broken()) {
    fmt::print("and it did not repeat: {}\n", again.scene().broken().value_or("it held"));
  }
  fmt::print("{}\nrepeat it with: ./dev sim {}{}\n", *world.scene().broken(), wanted.options, word);
  return false;
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--scale") == 0) {
    return scale::ScaleMain(argc - 2, argv + 2);
  }
  Wanted wanted;
  if (!Read(argc, argv, &wanted)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  int failed = 0;
  for (const std::string& word : wanted.seeds) failed += RunSeed(word, wanted) ? 0 : 1;
  fmt::print("{} passed, {} failed\n", static_cast<int>(wanted.seeds.size()) - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::sim

int main(int argc, char** argv) {
  return sluice::sim::Main(argc, argv);
}
