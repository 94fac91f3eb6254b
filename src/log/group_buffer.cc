#include "log/group_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace sluice::log {
namespace {
constexpr size_t kCapacityLeast = 64 << 10;
}  // namespace

void GroupBuffer::Free::operator()(char* memory) const {
  std::free(memory);
}

char* GroupBuffer::Reserve(size_t bytes) {
  const size_t needed = size_ + bytes;
  if (needed > capacity_) {
    const size_t capacity = RoundUpToPage(std::max({needed, capacity_ * 2, kCapacityLeast}));
    std::unique_ptr<char, Free> grown(static_cast<char*>(std::aligned_alloc(kPageBytes, capacity)));
    SLUICE_CHECK_MSG(grown != nullptr, "out of memory");
    if (data_ != nullptr) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  return data_.get() + size_;
}

void GroupBuffer::AddBatch(std::string_view records_bytes, uint32_t records, model::LogTime time) {
  char* to = Reserve(kBatchHeadBytes + records_bytes.size());
  EncodeBatchHead(to, static_cast<uint32_t>(records_bytes.size()), records, time);
  std::memcpy(to + kBatchHeadBytes, records_bytes.data(), records_bytes.size());
  size_ += kBatchHeadBytes + records_bytes.size();
}

void GroupBuffer::AddLaidOut(std::string_view batches) {
  char* to = Reserve(batches.size());
  if (!batches.empty()) std::memcpy(to, batches.data(), batches.size());
  size_ += batches.size();
}

std::string_view GroupBuffer::Frame(GroupHeader& header, std::span<const ShardSpan> spans,
                                    uint64_t salt) {
  const size_t bytes = size_ + spans.size() * kShardSpanBytes;
  const uint64_t padded = FrameBytes(spans.size());
  SLUICE_CHECK(bytes <= kGroupBytesMax);
  char* to = Reserve(padded - size_);
  for (const ShardSpan& span : spans) {
    EncodeShardSpan(to, span);
    to += kShardSpanBytes;
  }
  std::memset(to, 0, padded - bytes);
  header.bytes = static_cast<uint32_t>(bytes);
  header.spans = static_cast<uint32_t>(spans.size());
  EncodeGroupHeader(header, salt, data_.get());
  return {data_.get(), padded};
}

}  // namespace sluice::log
