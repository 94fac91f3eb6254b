#include "app/process_use.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>

// jemalloc's, where the program is linked with it: not with sanitizers, which bring their own.
extern "C" {
[[gnu::weak]] int mallctl(const char* name, void* old, size_t* old_size, void* now,
                          size_t now_size);
[[gnu::weak]] void malloc_stats_print(void (*write)(void* to, const char* text), void* to,
                                      const char* options);
}

namespace sluice::app {
namespace {

uint64_t AllocatedBytes() {
  if (mallctl == nullptr) return 0;
  uint64_t epoch = 1, allocated = 0;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);  // brings what it counts up to date
  size = sizeof allocated;
  return mallctl("stats.allocated", &allocated, &size, nullptr, 0) == 0 ? allocated : 0;
}

std::string AllocatorStats() {
  std::string text;
  malloc_stats_print(
      [](void* to, const char* more) { static_cast<std::string*>(to)->append(more); }, &text,
      nullptr);
  return text;
}

void Purge() {
  constexpr const char* kAllArenas = "arena.4096.purge";
  mallctl(kAllArenas, nullptr, nullptr, nullptr, 0);
}

}  // namespace

server::Allocator TheAllocator() {
  if (mallctl == nullptr || malloc_stats_print == nullptr) return {};
  return {"jemalloc", AllocatorStats, Purge};
}

server::ProcessUse CurrentUse() {
  server::ProcessUse use;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  use.resident_bytes = resident * page;
  use.allocated_bytes = AllocatedBytes();
  if (use.allocated_bytes == 0) use.allocated_bytes = use.resident_bytes;
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
