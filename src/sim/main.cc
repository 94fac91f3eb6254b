// sluice-sim [SEED…]: runs the simulated node under each seed; a failure prints the command that
// repeats it.

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "sim/world.h"

namespace sluice::sim {
namespace {

constexpr int kLives = 20;

// One seed: a script that crashes again and again, at places that the seed chooses.
std::optional<std::string> RunSeed(uint64_t seed) {
  Prng prng(seed);
  WorldOptions options;
  options.seed = seed;
  options.lanes = 1 + prng.Below(4);
  options.clients = 1 + prng.Below(8);
  options.rounds = 50 + prng.Below(400);
  options.buffer_bytes = size_t{1} << (10 + prng.Below(8));
  World world(options);
  for (int life = 0; life < kLives; ++life) {
    if (auto broken = world.Run(life + 1 == kLives ? 0 : 1 + prng.Below(150))) return broken;
    const uint64_t again = prng.OneIn(3) ? 1 + prng.Below(5) : 0;
    if (auto broken = world.Check(again, world.powered() && prng.OneIn(3))) return broken;
  }
  return std::nullopt;
}

int Main(int argc, char** argv) {
  int failed = 0;
  for (int i = 1; i < argc; ++i) {
    uint64_t seed = 0;
    const char* end = argv[i] + std::strlen(argv[i]);
    // A commit's hash is a seed as well: what does not fit is folded.
    const auto parsed = std::from_chars(argv[i], end, seed);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      seed = std::hash<std::string_view>{}(argv[i]);
    }
    const auto broken = RunSeed(seed);
    fmt::print("seed {}: {}\n", argv[i], broken ? *broken : "held");
    if (!broken) continue;
    ++failed;
    fmt::print("repeat it with: ./dev sim {}\n", argv[i]);
  }
  fmt::print("{} passed, {} failed\n", argc - 1 - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::sim

int main(int argc, char** argv) {
  return sluice::sim::Main(argc, argv);
}
