#include "env/linux/entropy.h"

#include <sys/random.h>

#include <cerrno>

#include "base/check.h"

namespace sluice::env {

uint64_t LinuxEntropy::Next() {
  uint64_t bits = 0;
  ssize_t got;
  do {
    got = ::getrandom(&bits, sizeof bits, 0);  // so few bytes always come whole
  } while (got < 0 && errno == EINTR);
  SLUICE_CHECK(got == sizeof bits);
  return bits;
}

}  // namespace sluice::env
