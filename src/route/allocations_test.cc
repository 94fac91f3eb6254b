// Counts every allocation of this test program. In a file of its own: the compiler must not see
// through to malloc where the operators are used.
#include <atomic>
#include <cstdlib>
#include <new>

#include "route/world_test.h"

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace sluice::route {

uint64_t Allocations() {
  return allocations;
}

}  // namespace sluice::route
