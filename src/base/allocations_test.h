// How often a test program has allocated, and what it holds, counted for the whole process.
//
// One file of the program includes base/count_allocations_test.h, which does the counting.
//
// Threads:  any.
#pragma once

#include <cstdint>

namespace sluice {

// Of operator new in any form; malloc by C code is not seen.
uint64_t Allocations();
uint64_t AllocatedBytes();  // and not given back

}  // namespace sluice
