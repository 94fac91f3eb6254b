#include "app/process_use.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>

namespace sluice::app {

server::ProcessUse CurrentUse() {
  server::ProcessUse use;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  use.resident_bytes = resident * page;
  use.machine_bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  use.resident_peak_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  use.user_s = seconds(usage.ru_utime);
  use.system_s = seconds(usage.ru_stime);
  return use;
}

uint64_t RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  rlimit raised{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

std::string ExecutablePath() {
  std::array<char, 4096> path;
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : std::string();
}

}  // namespace sluice::app
