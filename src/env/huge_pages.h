// HugePages: memory of its own mapping, in huge pages where the system gives them. Looking
// something up in much memory then rarely waits for the page tables as well.
//
// Owns:     the mapping. All of it is zero, and taken from the system at once: the kernel and what
//           lies below it may need milliseconds for a huge page, which nobody should meet later.
// Threads:  none.
#pragma once

#include <cstddef>
#include <utility>

namespace sluice::env {

class HugePages {
 public:
  static constexpr size_t kPageBytes = size_t{2} << 20;

  HugePages() = default;
  // `bytes` are rounded up to whole pages. Ends the process if there is no memory.
  explicit HugePages(size_t bytes);
  ~HugePages();
  HugePages(HugePages&& from) noexcept { *this = std::move(from); }
  HugePages& operator=(HugePages&& from) noexcept {
    std::swap(mapping_, from.mapping_);
    std::swap(mapped_, from.mapped_);
    std::swap(data_, from.data_);
    return *this;
  }

  char* data() const { return data_; }

 private:
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
  char* data_ = nullptr;
};

}  // namespace sluice::env
