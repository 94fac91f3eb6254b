#include "log/segment_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::log {
namespace {

constexpr uint64_t kReadAheadBytes = 1 << 20;

bool AllZero(std::string_view page) {
  return page.front() == 0 && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
}

}  // namespace

SegmentReader::SegmentReader(std::shared_ptr<env::File> file, const SegmentHeader& header)
    : file_(std::move(file)), segment_(header), place_(header.start) {}

Result<std::string_view> SegmentReader::Fetch(uint64_t offset, uint64_t size, uint64_t limit) {
  const uint64_t left = limit > offset ? limit - offset : 0;
  size = std::min(size, left);
  const bool buffered = offset >= buffer_offset_ && offset + size <= buffer_offset_ + buffer_size_;
  if (!buffered) {
    const uint64_t wanted = std::min(std::max(size, kReadAheadBytes), left);
    if (wanted > buffer_capacity_) {
      buffer_ = std::make_unique_for_overwrite<char[]>(wanted);
      buffer_capacity_ = wanted;
    }
    buffer_size_ = 0;
    SLUICE_ASSIGN(const size_t got, file_->ReadAt(offset, buffer_.get(), wanted));
    buffer_offset_ = offset;
    buffer_size_ = got;
    size = std::min<uint64_t>(size, got);
  }
  return std::string_view(buffer_.get() + (offset - buffer_offset_), size);
}

Result<SegmentReader::Found> SegmentReader::Next(uint64_t limit) {
  limit = std::min(limit, segment_.bytes);
  SLUICE_ASSIGN(const std::string_view head, Fetch(offset_, kPageBytes, limit));
  if (!DecodeGroupHeader(head, segment_.salt, &header_)) return Found::kNoHeader;
  if (header_.place != place_ || header_.log_id != segment_.log_id) return Found::kMisplaced;
  SLUICE_ASSIGN(frame_, Fetch(offset_, header_.bytes, limit));
  if (!BodyMatches(header_, segment_.salt, frame_)) return Found::kTornBody;
  if (!ParseBody(header_, frame_, &batches_, &spans_)) return Found::kMisplaced;
  Describe();
  place_ = header_.after();
  offset_ += header_.padded();
  return Found::kGroup;
}

void SegmentReader::Describe() {
  view_.first = header_.place.next;
  view_.records = header_.records;
  view_.durable = header_.durable;
  view_.time = header_.time;
  view_.flags = static_cast<uint16_t>(header_.flags);
  view_.term = header_.term;
  view_.shards = spans_;
  view_.batches = batches_;
  view_.segment = segment_.number;
  view_.offset = offset_;
}

Result<OpenSegment> OpenSegmentFile(env::FileSystem& files, const std::string& dir,
                                    uint64_t number) {
  const std::string path = dir + "/" + SegmentName(number);
  SLUICE_ASSIGN(std::shared_ptr<env::File> file, files.Open(path, env::OpenMode::kRead));
  std::string page(kSegmentHeaderBytes, '\0');
  SLUICE_ASSIGN(const size_t got, file->ReadAt(0, page.data(), page.size()));
  auto header = DecodeSegmentHeader(std::string_view(page).substr(0, got));
  if (!header.has_value()) return Fail(header.error().In(path));
  if (header->number != number) {
    return Fail(Code::kCorrupt, fmt::format("{}: its header says that it is segment {:016x}", path,
                                            header->number));
  }
  SLUICE_ASSIGN(const uint64_t size, file->Size());
  if (size != header->bytes) {
    return Fail(Code::kCorrupt,
                fmt::format("{}: {} bytes long, made with {}", path, size, header->bytes));
  }
  return OpenSegment{*header, std::move(file)};
}

Result<Remains> InspectRemains(env::File& file, const SegmentHeader& segment, uint64_t offset) {
  Remains remains;
  const uint64_t begin = offset;
  std::string buffer(std::min(kReadAheadBytes, segment.bytes - offset), '\0');
  while (offset < segment.bytes) {
    const size_t wanted = std::min<uint64_t>(buffer.size(), segment.bytes - offset);
    SLUICE_ASSIGN(const size_t got, file.ReadAt(offset, buffer.data(), wanted));
    if (got < kPageBytes) break;
    for (size_t at = 0; at + kPageBytes <= got; at += kPageBytes) {
      const std::string_view page(buffer.data() + at, kPageBytes);
      if (AllZero(page)) continue;
      remains.last_used = offset + at + kPageBytes;
      GroupHeader header;
      const bool later = offset + at > begin && DecodeGroupHeader(page, segment.salt, &header);
      if (later && remains.later_header == 0) remains.later_header = offset + at;
    }
    offset += got;
  }
  return remains;
}

}  // namespace sluice::log
