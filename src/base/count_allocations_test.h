// Counts every allocation of a test program: replaces the operators. One file of the program
// includes this, and does nothing else: the compiler must not see through to malloc where the
// operators are used. All forms are replaced, as a sanitizer brings those that are not, and finds
// that they do not pair with these.
//
// Threads:  any.
#pragma once

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/allocations_test.h"

namespace {

std::atomic<uint64_t> allocations{0}, bytes{0};

void* Allocate(size_t size) noexcept {
  ++allocations;
  void* memory = std::malloc(size);
  bytes += malloc_usable_size(memory);
  return memory;
}

void Free(void* memory) noexcept {
  bytes -= malloc_usable_size(memory);
  std::free(memory);
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
  Free(memory);
}
void operator delete[](void* memory) noexcept {
  Free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  Free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  Free(memory);
}

namespace sluice {

uint64_t Allocations() {
  return allocations;
}
uint64_t AllocatedBytes() {
  return bytes;
}

}  // namespace sluice
