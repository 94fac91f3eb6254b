#include "env/linux/cores.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/number.h"

namespace sluice::env {
namespace {

std::string Content(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return std::move(content).str();
}

size_t CoresToRunOn() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  // It fails where the machine has more cores than the set has room for.
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return std::thread::hardware_concurrency();
  return static_cast<size_t>(CPU_COUNT(&cores));
}

}  // namespace

std::optional<size_t> CoresOfShare(std::string_view max) {
  const size_t space = max.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::string_view period = max.substr(space + 1);
  if (period.ends_with('\n')) period.remove_suffix(1);
  int64_t share_us = 0, period_us = 0;
  if (!ParseInt(max.substr(0, space), &share_us) || !ParseInt(period, &period_us)) {
    return std::nullopt;
  }
  if (share_us <= 0 || period_us <= 0) return std::nullopt;
  return static_cast<size_t>((share_us - 1) / period_us + 1);
}

std::optional<size_t> CoresOfGroup(const std::string& root, std::string_view group) {
  constexpr std::string_view kVersion2 = "0::/";
  const size_t at = group.starts_with(kVersion2) ? 0 : group.find("\n0::/");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view path = group.substr(group.find(kVersion2, at) + kVersion2.size());
  path = path.substr(0, path.find('\n'));
  std::optional<size_t> least;
  while (true) {
    const std::optional<size_t> here =
        CoresOfShare(Content(std::filesystem::path(root) / path / "cpu.max"));
    if (here) least = std::min(*here, least.value_or(*here));
    if (path.empty()) return least;
    const size_t parent = path.rfind('/');
    path = path.substr(0, parent == std::string_view::npos ? 0 : parent);
  }
}

size_t Cores() {
  const size_t cores = std::max<size_t>(1, CoresToRunOn());
  return std::min(cores,
                  CoresOfGroup("/sys/fs/cgroup", Content("/proc/self/cgroup")).value_or(cores));
}

}  // namespace sluice::env
