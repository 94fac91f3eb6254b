#include "env/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

#include "base/check.h"

namespace sluice::env {

HugePages::HugePages(size_t bytes) {
  if (bytes == 0) return;
  const size_t whole = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  mapped_ = whole + kPageBytes;  // so that whole pages lie in it, wherever it begins
  mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SLUICE_CHECK(mapping_ != MAP_FAILED);
  const auto begin = reinterpret_cast<uintptr_t>(mapping_);
  data_ = static_cast<char*>(mapping_) + (kPageBytes - begin % kPageBytes) % kPageBytes;
  madvise(data_, whole, MADV_HUGEPAGE);        // where it fails, small pages do
  madvise(data_, whole, MADV_POPULATE_WRITE);  // before Linux 5.14: at the first use
}

HugePages::~HugePages() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

}  // namespace sluice::env
