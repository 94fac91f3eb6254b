#include "base/count_allocations_test.h"
