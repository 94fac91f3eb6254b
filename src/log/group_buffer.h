// GroupBuffer is the memory in which a group takes shape: room for the header, then the batches as
// they come, then room for the shard table, so that the whole is written without another copy.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "log/format.h"
#include "log/log.h"

namespace sluice::log {

class GroupBuffer {
 public:
  void Clear() { size_ = kGroupHeaderBytes; }
  void AddBatch(std::string_view records_bytes, uint32_t records, model::LogTime time);
  // For batches that are laid out already.
  void AddLaidOut(std::string_view batches);

  std::string_view batches() const {
    if (empty()) return {};
    return {data_.get() + kGroupHeaderBytes, size_ - kGroupHeaderBytes};
  }
  bool empty() const { return size_ == kGroupHeaderBytes; }
  size_t capacity() const { return capacity_; }

  // Completes the group in place: shard table, header, padding. Returns the frame, whole pages;
  // it may be made again (for another segment) as long as no batch was added.
  // Fills in the header's bytes, spans and checksums.
  std::string_view Frame(GroupHeader& header, std::span<const ShardSpan> spans, uint64_t salt);

  // What the frame will take on disk.
  uint64_t FrameBytes(size_t spans) const { return RoundUpToPage(size_ + spans * kShardSpanBytes); }

 private:
  char* Reserve(size_t bytes);  // room for `bytes` more behind size_

  struct Free {
    void operator()(char* memory) const;
  };
  std::unique_ptr<char, Free> data_;  // on a page boundary
  size_t size_ = kGroupHeaderBytes;
  size_t capacity_ = 0;
};

}  // namespace sluice::log
