// The bytes of a log: segment headers, group headers, batches and shard tables.
//
// A segment file is a header page and then groups, each beginning on a page of its own, so that a
// page torn while one group was written can never hurt an earlier one.
//
// Format:   docs/formats/log.md
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "log/log.h"
#include "model/ids.h"

namespace sluice::log {

inline constexpr std::string_view kSegmentMagic = "SLUICELG";
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr size_t kPageBytes = env::kPageBytes;  // what a power cut may tear apart
inline constexpr size_t kSegmentHeaderBytes = kPageBytes;
inline constexpr uint32_t kGroupMagic = 0x50474c53;  // "SLGP"
inline constexpr size_t kGroupHeaderBytes = 88;
inline constexpr size_t kBatchHeadBytes = 16;
inline constexpr size_t kShardSpanBytes = 32;
inline constexpr size_t kGroupBytesMax = 1u << 30;  // a header that claims more is no header
inline constexpr uint32_t kGroupFlagsKnown = kGroupWitness | kGroupCleanStop | kGroupFence;

constexpr uint64_t RoundUpToPage(uint64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// Where a log stands between two groups: what the next group must say of itself.
struct Place {
  model::Lsn next;        // LSN of the next record
  uint64_t previous = 0;  // header checksum of the group before; 0 at the very beginning

  bool operator==(const Place&) const = default;
};

struct SegmentHeader {
  uint64_t number = 0;
  model::LogId log_id;
  uint64_t salt = 0;      // seeds every checksum of the segment's groups; fresh at each use
  uint64_t bytes = 0;     // size of the file
  bool recycled = false;  // the file held another segment before; else it was all zeroes
  Place start;
  model::Lsn durable;   // records up to here were durable when the segment began
  model::LogTime time;  // greatest log time before it
  model::Term term;     // term in force when it began
};

inline constexpr std::string_view kSegmentSuffix = ".seg";
std::string SegmentName(uint64_t number);  // "00000000000000a1.seg"
// The number of a file named so, with `suffix`; nothing for any other name.
std::optional<uint64_t> NumberOf(std::string_view name, std::string_view suffix);

// The whole header page. Another `version` is for tests of what a later format meets.
std::string EncodeSegmentHeader(const SegmentHeader& header, uint32_t version = kFormatVersion);

// kInvalid: written by a newer Sluice. kCorrupt: not a segment header, or damaged.
Result<SegmentHeader> DecodeSegmentHeader(std::string_view page);

struct GroupHeader {
  uint64_t checksum = 0;  // of the header; names the group in its successor
  uint32_t flags = 0;
  uint32_t bytes = 0;  // header, batches and shard table, without padding
  uint32_t records = 0;
  uint32_t batches = 0;
  uint32_t spans = 0;
  model::Term term;
  model::LogId log_id;
  Place place;  // first LSN, and the checksum of the group before
  model::Lsn durable;
  model::LogTime time;
  uint64_t body_checksum = 0;

  Place after() const { return {model::Lsn(place.next.value + records), checksum}; }
  uint64_t padded() const { return RoundUpToPage(bytes); }
};

// Writes the header of a group whose body (batches, then shard table) lies behind `frame` already;
// fills in the two checksums. Requires: header.bytes is the size of both.
void EncodeGroupHeader(GroupHeader& header, uint64_t salt, char* frame);

// False if `bytes` do not begin with a group header of the segment with this salt.
bool DecodeGroupHeader(std::string_view bytes, uint64_t salt, GroupHeader* header);

// Whether the body (everything behind the header) is what the header says.
bool BodyMatches(const GroupHeader& header, uint64_t salt, std::string_view frame);

void EncodeBatchHead(char* to, uint32_t bytes, uint32_t records, model::LogTime time);
void EncodeShardSpan(char* to, const ShardSpan& span);

// Takes a group's body apart. False if its parts do not add up to what the header says.
bool ParseBody(const GroupHeader& header, std::string_view frame, std::vector<BatchView>* batches,
               std::vector<ShardSpan>* spans);

// How many batches and records `batches` (as in GroupToWrite) holds. False if it is malformed.
bool CountBatches(std::string_view batches, uint32_t* count, uint64_t* records);

}  // namespace sluice::log
