#include "env/linux/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace sluice::env {
namespace {

// Goal:   a share of time comes to as many cores as can use it, and nothing else is a share.
// Method: a table.
TEST(Cores, OfAShare) {
  const std::pair<std::string_view, std::optional<size_t>> kShares[] = {
      {"100000 100000\n", 1},
      {"1000 100000\n", 1},
      {"100001 100000\n", 2},
      {"150000 100000", 2},
      {"200000 100000\n", 2},
      {"6400000 100000\n", 64},
      {"9223372036854775807 1\n", 9223372036854775807u},
      {"max 100000\n", std::nullopt},
      {"", std::nullopt},
      {"100000", std::nullopt},
      {"0 100000", std::nullopt},
      {"100000 0", std::nullopt},
      {"-1 100000", std::nullopt},
      {"100000 100000 1", std::nullopt},
  };
  for (const auto& [max, cores] : kShares) EXPECT_EQ(CoresOfShare(max), cores) << max;
}

// Goal:   the group that allows least counts, be it the process's own or one above it.
// Method: a tree of groups with a share at each place, or none.
TEST(Cores, OfAGroup) {
  std::string root = (std::filesystem::temp_directory_path() / "sluice_cores_XXXXXX").string();
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  std::filesystem::create_directories(root + "/a/b");
  const std::string kShares[] = {"", "max 100000\n", "300000 100000\n", "500000 100000\n"};
  const std::optional<size_t> kCores[] = {std::nullopt, std::nullopt, 3, 5};
  for (size_t top = 0; top < 4; ++top) {
    for (size_t middle = 0; middle < 4; ++middle) {
      for (size_t own = 0; own < 4; ++own) {
        std::ofstream(root + "/cpu.max") << kShares[top];
        std::ofstream(root + "/a/cpu.max") << kShares[middle];
        std::ofstream(root + "/a/b/cpu.max") << kShares[own];
        std::optional<size_t> least;
        for (const auto& cores : {kCores[top], kCores[middle], kCores[own]}) {
          if (cores) least = std::min(*cores, least.value_or(*cores));
        }
        EXPECT_EQ(CoresOfGroup(root, "0::/a/b\n"), least);
        EXPECT_EQ(CoresOfGroup(root, "4:memory:/x\n0::/a/b\n"), least);
        EXPECT_EQ(CoresOfGroup(root, "0::/a/b/gone\n"), least);
        EXPECT_EQ(CoresOfGroup(root, "0::/\n"), kCores[top]);
      }
    }
  }
  EXPECT_EQ(CoresOfGroup(root, "1:cpu:/a/b\n"), std::nullopt);
  EXPECT_EQ(CoresOfGroup(root, ""), std::nullopt);
  std::filesystem::remove_all(root);
}

// Goal:   cores that the process may not run on are not its own.
// Method: a thread that is held to one.
TEST(Cores, ToRunOn) {
  std::thread([] {
    EXPECT_GE(Cores(), 1u);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(Cores(), 1u);
  }).join();
}

}  // namespace
}  // namespace sluice::env
