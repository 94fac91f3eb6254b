#include "server/counted_locks_test.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>

namespace {

std::atomic<uint64_t> locks{0};

}  // namespace

#if SLUICE_COUNTS_LOCKS
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static std::atomic<Lock> lock{nullptr};
  Lock real = lock.load(std::memory_order_relaxed);
  if (real == nullptr) {
    real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
    lock.store(real, std::memory_order_relaxed);
  }
  locks.fetch_add(1, std::memory_order_relaxed);
  return real(mutex);
}
#endif

namespace sluice::server {

uint64_t LocksTaken() {
  return locks;
}

}  // namespace sluice::server
