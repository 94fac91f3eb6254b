#include "log/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "log/segment_pool.h"

namespace sluice::log {
namespace {

std::string_view Why(SegmentReader::Found found) {
  switch (found) {
    case SegmentReader::Found::kGroup:
      return "a whole group";
    case SegmentReader::Found::kNoHeader:
      return "no group begins here";
    case SegmentReader::Found::kTornBody:
      return "a group's content fails its checksum";
    case SegmentReader::Found::kMisplaced:
      return "a group that does not belong here";
  }
  return "";
}

// One pass over the segments of a directory.
class Pass {
 public:
  Pass(std::string dir, model::Lsn witness) : dir_(std::move(dir)), witness_(witness) {}

  Status OpenAll(env::FileSystem& files, const std::vector<uint64_t>& numbers,
                 std::optional<model::LogId> expected);
  Status Scan(model::Lsn scan_from);
  Recovered Finish() && { return std::move(result_); }

 private:
  Status ScanSegment(size_t index);
  Status EndOfLog(SegmentReader& reader, SegmentReader::Found found);
  Status ReadTail();
  void Account(const SegmentReader& reader, uint64_t offset);
  Failure Damage(const SegmentReader& reader, SegmentReader::Found found,
                 std::string_view witness) const;
  std::string Path(uint64_t number) const { return dir_ + "/" + SegmentName(number); }

  const std::string dir_;
  const model::Lsn witness_;
  Recovered result_;
};

Status Pass::OpenAll(env::FileSystem& files, const std::vector<uint64_t>& numbers,
                     std::optional<model::LogId> expected) {
  for (const uint64_t number : numbers) {
    SLUICE_ASSIGN(OpenSegment opened, OpenSegmentFile(files, dir_, number));
    if (expected && opened.header.log_id != *expected) {
      return Fail(Code::kInvalid, dir_ + ": belongs to another log than this node's");
    }
    if (!result_.segments.empty()) {
      const SegmentHeader& before = result_.segments.back().header;
      if (opened.header.log_id != before.log_id) {
        return Fail(Code::kCorrupt,
                    Path(number) + ": belongs to another log than the segments before it");
      }
      if (opened.header.start.next < before.start.next || opened.header.term < before.term) {
        return Fail(Code::kCorrupt, Path(number) + ": begins before the segment before it");
      }
    }
    result_.segments.push_back({opened.header, std::move(opened.file), 0});
  }
  return Ok();
}

Status Pass::Scan(model::Lsn scan_from) {
  const auto& segments = result_.segments;
  RecoveryReport& report = result_.report;
  report.log_id = segments.front().header.log_id;
  report.first = segments.front().header.start.next;
  report.segments = segments.size();
  size_t begin = segments.size() - 1;
  while (begin > 0 && segments[begin].header.start.next > scan_from) --begin;
  for (size_t i = begin; i < segments.size(); ++i) SLUICE_TRY(ScanSegment(i));
  return Ok();
}

Status Pass::ScanSegment(size_t index) {
  RecoveredSegment& segment = result_.segments[index];
  const bool is_last = index + 1 == result_.segments.size();
  result_.report.term = std::max(result_.report.term, segment.header.term);
  result_.report.time = std::max(result_.report.time, segment.header.time);
  SegmentReader reader(segment.file, segment.header);
  // That this segment was begun witnesses all groups before it.
  result_.tail.reset();
  result_.keep = reader.place();
  result_.keep_end = reader.offset();
  for (;;) {
    segment.end = reader.offset();
    if (!is_last && reader.place() == result_.segments[index + 1].header.start) return Ok();
    SLUICE_ASSIGN(const auto found, reader.Next(segment.header.bytes));
    if (found == SegmentReader::Found::kGroup) {
      Account(reader, segment.end);
    } else if (is_last) {
      return EndOfLog(reader, found);
    } else {
      return Damage(reader, found,
                    "the next segment was begun behind more groups: " +
                        SegmentName(result_.segments[index + 1].header.number));
    }
  }
}

void Pass::Account(const SegmentReader& reader, uint64_t offset) {
  const GroupHeader& header = reader.header();
  RecoveryReport& report = result_.report;
  ++report.scanned_groups;
  report.scanned_records += header.records;
  report.scanned_bytes += header.bytes;
  report.term = std::max(report.term, header.term);
  report.time = std::max(report.time, header.time);
  report.clean_stop = header.flags & kGroupCleanStop;
  for (const ShardSpan& span : reader.group().shards) {
    model::ShardSeq& next = report.next_seq[span.lineage];
    next = std::max(next, model::ShardSeq(span.first_seq.value + span.records));
    report.greatest_epoch = std::max(report.greatest_epoch, span.epoch);
  }
  if (header.records > 0) {
    result_.keep = header.place;
    result_.keep_end = offset;
    result_.tail = header;
  } else if (result_.tail.has_value()) {
    result_.keep = result_.tail->after();
    result_.keep_end += result_.tail->padded();
    result_.tail.reset();
  }
}

Status Pass::EndOfLog(SegmentReader& reader, SegmentReader::Found found) {
  const RecoveredSegment& segment = result_.segments.back();
  if (found == SegmentReader::Found::kMisplaced) {
    return Damage(reader, found, "a group is written when all before it are durable");
  }
  SLUICE_ASSIGN(const Remains remains,
                InspectRemains(*segment.file, segment.header, reader.offset()));
  if (remains.later_header != 0) {
    return Damage(reader, found, fmt::format("a later group at offset {}", remains.later_header));
  }
  const model::Lsn next = reader.place().next;
  if (witness_ >= next) {
    return Damage(reader, found,
                  fmt::format("LSN {} was applied, so it was durable", witness_.value));
  }
  RecoveryReport& report = result_.report;
  report.next = next;
  if (found == SegmentReader::Found::kTornBody) {
    report.cut_bytes = reader.header().padded();
  } else if (!segment.header.recycled && remains.last_used > 0) {
    report.cut_bytes = remains.last_used - reader.offset();
  }
  if (report.cut_bytes > 0) {
    report.cut_reason = fmt::format(
        "{} at offset {}: {}; nothing witnesses that it was durable, so nobody was told of it",
        Path(segment.header.number), reader.offset(), Why(found));
  }
  return ReadTail();
}

Status Pass::ReadTail() {
  if (!result_.tail.has_value()) return Ok();
  std::string& frame = result_.tail_frame;
  frame.resize(result_.tail->padded());
  SLUICE_ASSIGN(const size_t got, result_.segments.back().file->ReadAt(
                                      result_.keep_end, frame.data(), result_.tail->bytes));
  if (got < result_.tail->bytes ||
      !BodyMatches(*result_.tail, result_.segments.back().header.salt, frame)) {
    return Fail(Code::kIo, Path(result_.segments.back().header.number) +
                               ": its last group read back differently");
  }
  result_.report.rewritten_records = result_.tail->records;
  return Ok();
}

Failure Pass::Damage(const SegmentReader& reader, SegmentReader::Found found,
                     std::string_view witness) const {
  return Fail(Code::kCorrupt, fmt::format("{}: damaged at offset {} (LSN {}): {}; witness: {}",
                                          Path(reader.segment().number), reader.offset(),
                                          reader.place().next.value, Why(found), witness));
}

}  // namespace

Result<Directory> ListLog(env::FileSystem& files, const std::string& dir) {
  SLUICE_ASSIGN(const std::vector<std::string> names, files.List(dir));
  Directory listed;
  for (const std::string& name : names) {
    if (const auto number = NumberOf(name, kSegmentSuffix)) {
      listed.segments.push_back(*number);
    } else if (NumberOf(name, kSpareSuffix)) {
      listed.spares.push_back(name);
    } else if (NumberOf(name, kTemporarySuffix)) {
      listed.temporaries.push_back(name);
    } else {
      return Fail(Code::kInvalid, dir + "/" + name + ": not a file of a Sluice log");
    }
  }
  return listed;
}

Result<Recovered> Recover(env::FileSystem& files, const std::string& dir,
                          const std::vector<uint64_t>& numbers, model::Lsn witness,
                          model::Lsn scan_from, std::optional<model::LogId> expected) {
  Pass pass(dir, witness);
  SLUICE_TRY(pass.OpenAll(files, numbers, expected));
  SLUICE_TRY(pass.Scan(scan_from));
  return std::move(pass).Finish();
}

}  // namespace sluice::log
