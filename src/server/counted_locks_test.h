// How often this test program has locked a mutex (counted_locks_test.cc puts itself in front of the
// system's function; not under a sanitizer, which does the same).
//
// Threads:  any.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_COUNTS_LOCKS 0
#else
#define SLUICE_COUNTS_LOCKS 1
#endif

namespace sluice::server {

uint64_t LocksTaken();  // always 0 where they are not counted

}  // namespace sluice::server
