// How often a test program has allocated, counted for the whole process.
//
// One file of the program includes base/count_allocations_test.h, which does the counting.
//
// Threads:  any.
#pragma once

#include <cstdint>

namespace sluice {

uint64_t Allocations();  // operator new in any form; malloc by C code is not seen

}  // namespace sluice
