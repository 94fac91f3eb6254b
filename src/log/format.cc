#include "log/format.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace sluice::log {
namespace {

// Where the fields lie. The version and the checksum keep their places in every later version, so
// that an old program can say "newer" of a file that it cannot read.
namespace segment {
constexpr size_t kVersion = 8, kFlags = 12, kChecksum = 16, kLogId = 24, kNumber = 32, kSalt = 40,
                 kBytes = 48, kFirst = 56, kPrevious = 64, kDurable = 72, kTime = 80, kTerm = 88;
constexpr uint32_t kRecycled = 1;
}  // namespace segment

namespace group {
constexpr size_t kChecksum = 0, kMagic = 8, kFlags = 12, kBytes = 16, kRecords = 20, kBatches = 24,
                 kSpans = 28, kTerm = 32, kLogId = 40, kFirst = 48, kDurable = 56, kTime = 64,
                 kPrevious = 72, kBodyChecksum = 80;
static_assert(kBodyChecksum + 8 == kGroupHeaderBytes);
}  // namespace group

// The page with its checksum field as zero.
uint64_t PageChecksum(std::string_view page) {
  std::string copy(page);
  StoreLe<uint64_t>(copy.data() + segment::kChecksum, 0);
  return XXH3_64bits(copy.data(), copy.size());
}

uint64_t HeaderChecksum(const char* frame, uint64_t salt) {
  return XXH3_64bits_withSeed(frame + group::kMagic, kGroupHeaderBytes - group::kMagic, salt);
}

uint64_t BodyChecksum(std::string_view frame, uint64_t salt) {
  return XXH3_64bits_withSeed(frame.data() + kGroupHeaderBytes, frame.size() - kGroupHeaderBytes,
                              salt);
}

}  // namespace

std::string SegmentName(uint64_t number) {
  return fmt::format("{:016x}{}", number, kSegmentSuffix);
}

std::optional<uint64_t> NumberOf(std::string_view name, std::string_view suffix) {
  constexpr size_t kDigits = 16;
  if (name.size() != kDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  uint64_t number = 0;
  for (const char digit : name.substr(0, kDigits)) {
    const size_t value = std::string_view("0123456789abcdef").find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    number = number * 16 + value;
  }
  return number;
}

std::string EncodeSegmentHeader(const SegmentHeader& header, uint32_t version) {
  std::string page(kSegmentHeaderBytes, '\0');
  char* to = page.data();
  std::memcpy(to, kSegmentMagic.data(), kSegmentMagic.size());
  StoreLe<uint32_t>(to + segment::kVersion, version);
  StoreLe<uint32_t>(to + segment::kFlags, header.recycled ? segment::kRecycled : 0);
  StoreLe<uint64_t>(to + segment::kLogId, header.log_id.value);
  StoreLe<uint64_t>(to + segment::kNumber, header.number);
  StoreLe<uint64_t>(to + segment::kSalt, header.salt);
  StoreLe<uint64_t>(to + segment::kBytes, header.bytes);
  StoreLe<uint64_t>(to + segment::kFirst, header.start.next.value);
  StoreLe<uint64_t>(to + segment::kPrevious, header.start.previous);
  StoreLe<uint64_t>(to + segment::kDurable, header.durable.value);
  StoreLe<uint64_t>(to + segment::kTime, header.time.value);
  StoreLe<uint32_t>(to + segment::kTerm, header.term.value);
  StoreLe<uint64_t>(to + segment::kChecksum, PageChecksum(page));
  return page;
}

Result<SegmentHeader> DecodeSegmentHeader(std::string_view page) {
  if (page.size() < kSegmentHeaderBytes) return Fail(Code::kCorrupt, "its header is cut off");
  page = page.substr(0, kSegmentHeaderBytes);
  if (!page.starts_with(kSegmentMagic)) return Fail(Code::kCorrupt, "not a segment of a log");
  const char* at = page.data();
  if (PageChecksum(page) != LoadLe<uint64_t>(at + segment::kChecksum)) {
    return Fail(Code::kCorrupt, "its header fails its checksum");
  }
  const auto version = LoadLe<uint32_t>(at + segment::kVersion);
  if (version != kFormatVersion) {
    return Fail(Code::kInvalid,
                fmt::format("written by a newer Sluice (log format {}, this one reads {})", version,
                            kFormatVersion));
  }
  SegmentHeader header;
  header.recycled = LoadLe<uint32_t>(at + segment::kFlags) & segment::kRecycled;
  header.log_id = model::LogId(LoadLe<uint64_t>(at + segment::kLogId));
  header.number = LoadLe<uint64_t>(at + segment::kNumber);
  header.salt = LoadLe<uint64_t>(at + segment::kSalt);
  header.bytes = LoadLe<uint64_t>(at + segment::kBytes);
  header.start = {model::Lsn(LoadLe<uint64_t>(at + segment::kFirst)),
                  LoadLe<uint64_t>(at + segment::kPrevious)};
  header.durable = model::Lsn(LoadLe<uint64_t>(at + segment::kDurable));
  header.time = model::LogTime{LoadLe<uint64_t>(at + segment::kTime)};
  header.term = model::Term(LoadLe<uint32_t>(at + segment::kTerm));
  return header;
}

void EncodeGroupHeader(GroupHeader& header, uint64_t salt, char* frame) {
  StoreLe<uint32_t>(frame + group::kMagic, kGroupMagic);
  StoreLe<uint32_t>(frame + group::kFlags, header.flags);
  StoreLe<uint32_t>(frame + group::kBytes, header.bytes);
  StoreLe<uint32_t>(frame + group::kRecords, header.records);
  StoreLe<uint32_t>(frame + group::kBatches, header.batches);
  StoreLe<uint32_t>(frame + group::kSpans, header.spans);
  StoreLe<uint64_t>(frame + group::kTerm, header.term.value);
  StoreLe<uint64_t>(frame + group::kLogId, header.log_id.value);
  StoreLe<uint64_t>(frame + group::kFirst, header.place.next.value);
  StoreLe<uint64_t>(frame + group::kDurable, header.durable.value);
  StoreLe<uint64_t>(frame + group::kTime, header.time.value);
  StoreLe<uint64_t>(frame + group::kPrevious, header.place.previous);
  header.body_checksum = BodyChecksum({frame, header.bytes}, salt);
  StoreLe<uint64_t>(frame + group::kBodyChecksum, header.body_checksum);
  header.checksum = HeaderChecksum(frame, salt);
  StoreLe<uint64_t>(frame + group::kChecksum, header.checksum);
}

bool DecodeGroupHeader(std::string_view bytes, uint64_t salt, GroupHeader* header) {
  if (bytes.size() < kGroupHeaderBytes) return false;
  const char* at = bytes.data();
  if (LoadLe<uint32_t>(at + group::kMagic) != kGroupMagic) return false;
  header->checksum = LoadLe<uint64_t>(at + group::kChecksum);
  if (HeaderChecksum(at, salt) != header->checksum) return false;
  header->flags = LoadLe<uint32_t>(at + group::kFlags);
  header->bytes = LoadLe<uint32_t>(at + group::kBytes);
  header->records = LoadLe<uint32_t>(at + group::kRecords);
  header->batches = LoadLe<uint32_t>(at + group::kBatches);
  header->spans = LoadLe<uint32_t>(at + group::kSpans);
  header->term = model::Term(LoadLe<uint32_t>(at + group::kTerm));
  header->log_id = model::LogId(LoadLe<uint64_t>(at + group::kLogId));
  header->place = {model::Lsn(LoadLe<uint64_t>(at + group::kFirst)),
                   LoadLe<uint64_t>(at + group::kPrevious)};
  header->durable = model::Lsn(LoadLe<uint64_t>(at + group::kDurable));
  header->time = model::LogTime{LoadLe<uint64_t>(at + group::kTime)};
  header->body_checksum = LoadLe<uint64_t>(at + group::kBodyChecksum);
  return header->bytes >= kGroupHeaderBytes && header->bytes <= kGroupBytesMax;
}

bool BodyMatches(const GroupHeader& header, uint64_t salt, std::string_view frame) {
  return frame.size() >= header.bytes &&
         BodyChecksum(frame.substr(0, header.bytes), salt) == header.body_checksum;
}

void EncodeBatchHead(char* to, uint32_t bytes, uint32_t records, model::LogTime time) {
  StoreLe<uint32_t>(to, bytes);
  StoreLe<uint32_t>(to + 4, records);
  StoreLe<uint64_t>(to + 8, time.value);
}

void EncodeShardSpan(char* to, const ShardSpan& span) {
  StoreLe<uint32_t>(to, span.shard.value);
  StoreLe<uint32_t>(to + 4, span.epoch.value);
  StoreLe<uint64_t>(to + 8, span.lineage.value);
  StoreLe<uint64_t>(to + 16, span.first_seq.value);
  StoreLe<uint32_t>(to + 24, span.records);
  StoreLe<uint32_t>(to + 28, 0);
}

bool ParseBody(const GroupHeader& header, std::string_view frame, std::vector<BatchView>* batches,
               std::vector<ShardSpan>* spans) {
  batches->clear();
  spans->clear();
  if (header.flags & ~kGroupFlagsKnown) return false;
  sluice::Reader body(frame.substr(kGroupHeaderBytes, header.bytes - kGroupHeaderBytes));
  const uint64_t end = header.place.next.value + header.records;
  model::Lsn first = header.place.next;
  for (uint32_t i = 0; i < header.batches && body.ok(); ++i) {
    const auto bytes = body.Le<uint32_t>();
    const auto records = body.Le<uint32_t>();
    const model::LogTime time{body.Le<uint64_t>()};
    batches->push_back({first, records, time, body.Bytes(bytes)});
    first = model::Lsn(first.value + records);
  }
  for (uint32_t i = 0; i < header.spans && body.ok(); ++i) {
    ShardSpan span;
    span.shard = model::ShardId(body.Le<uint32_t>());
    span.epoch = model::Epoch(body.Le<uint32_t>());
    span.lineage = model::Lineage(body.Le<uint64_t>());
    span.first_seq = model::ShardSeq(body.Le<uint64_t>());
    span.records = body.Le<uint32_t>();
    body.Le<uint32_t>();
    spans->push_back(span);
  }
  return body.ok() && body.done() && first.value == end;
}

bool CountBatches(std::string_view batches, uint32_t* count, uint64_t* records) {
  *count = 0;
  *records = 0;
  for (sluice::Reader reader(batches); !reader.done(); ++*count) {
    const auto bytes = reader.Le<uint32_t>();
    *records += reader.Le<uint32_t>();
    reader.Le<uint64_t>();
    reader.Bytes(bytes);
    if (!reader.ok()) return false;
  }
  return true;
}

}  // namespace sluice::log
