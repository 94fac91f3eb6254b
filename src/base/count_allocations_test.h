// Counts every allocation of a test program: replaces the operators. One file of the program
// includes this, and does nothing else: the compiler must not see through to malloc where the
// operators are used. All forms are replaced, as a sanitizer brings those that are not, and finds
// that they do not pair with these.
//
// Threads:  any.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/allocations_test.h"

namespace {

std::atomic<uint64_t> allocations{0};

void* Allocate(size_t size) noexcept {
  ++allocations;
  return std::malloc(size);
}

void* AllocateOrThrow(size_t size) {
  if (void* memory = Allocate(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t size) {
  return AllocateOrThrow(size);
}
void* operator new[](size_t size) {
  return AllocateOrThrow(size);
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return Allocate(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return Allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  std::free(memory);
}

namespace sluice {

uint64_t Allocations() {
  return allocations;
}

}  // namespace sluice
