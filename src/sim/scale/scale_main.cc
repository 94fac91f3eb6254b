#include "sim/scale/scale_main.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "sim/scale/report.h"

namespace sluice::sim::scale {
namespace {

constexpr const char* kUsage =
    "usage: sluice-sim --scale [--nodes N] [--off] [--svg FILE] [SEED…]\n"
    "Ten shards and 100,000 writes/s for each of N nodes (6 to 1,000; 100), 80 minutes in\n"
    "simulated time. `--off`: without the balancer.\n";
constexpr uint64_t kNodesUsual = 100, kNodesMost = 1'000;

struct Wanted {
  uint64_t nodes = kNodesUsual;
  rebalance::Mode mode = rebalance::Mode::kOn;
  std::string svg;
  std::vector<uint64_t> seeds;
};

bool ReadNumber(const std::string& word, uint64_t* number) {
  const char* end = word.data() + word.size();
  const auto parsed = std::from_chars(word.data(), end, *number);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

bool Read(int argc, char** argv, Wanted* wanted) {
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    const bool value = i + 1 < argc;
    if (word == "--off") {
      wanted->mode = rebalance::Mode::kOff;
    } else if (word == "--svg" && value) {
      wanted->svg = argv[++i];
    } else if (word == "--nodes" && value) {
      if (!ReadNumber(argv[++i], &wanted->nodes)) return false;
    } else {
      wanted->seeds.push_back(0);
      if (!ReadNumber(word, &wanted->seeds.back())) return false;
    }
  }
  if (wanted->seeds.empty()) wanted->seeds = {1};
  return wanted->nodes >= kNodesLeast && wanted->nodes <= kNodesMost;
}

}  // namespace

int ScaleMain(int argc, char** argv) {
  Wanted wanted;
  if (!Read(argc, argv, &wanted)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  size_t failed = 0;
  for (const uint64_t seed : wanted.seeds) {
    const Result result = PlayScript(seed, wanted.nodes, wanted.mode);
    fmt::print("{}", Table(result));
    failed += result.good ? 0 : 1;
    if (wanted.svg.empty()) continue;
    std::ofstream file(wanted.svg);
    file << Svg(result);
    if (file.close(), file) continue;
    fmt::print(stderr, "sluice-sim: {}: {}\n", wanted.svg, std::strerror(errno));
    return 1;
  }
  fmt::print("{} passed, {} failed\n", wanted.seeds.size() - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace sluice::sim::scale
