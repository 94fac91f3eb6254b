#include "log/file_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/file_log_reader.h"

namespace sluice::log {
namespace {

std::string ParentOf(const std::string& dir) {
  const size_t slash = dir.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return dir.substr(0, std::max<size_t>(slash, 1));
}

// A directory without segments is a new log's, unless someone has seen one there.
Status MayCreate(const std::string& dir, const FileLogOptions& options, model::Lsn witness) {
  if (witness.value == 0 && !options.expected_id.has_value()) return Ok();
  return Fail(Code::kCorrupt,
              fmt::format("{}: the log is missing; it held LSN {} and before, or was this node's",
                          dir, witness.value));
}

}  // namespace

FileLog::FileLog(env::Env env, std::string dir, const FileLogOptions& options)
    : env_(env),
      dir_(std::move(dir)),
      options_(options),
      pool_(env.files, dir_, options.segment_bytes),
      table_(std::make_shared<SegmentTable>()) {}

Result<OpenedLog> FileLog::Open(env::Env env, const std::string& dir, FileLogOptions options,
                                model::Lsn witness) {
  SLUICE_CHECK(options.segment_bytes >= kSegmentBytesLeast &&
               options.segment_bytes % kPageBytes == 0);
  const uint64_t start_us = env.clock.MonotonicUs();
  SLUICE_TRY(env.files.CreateDir(dir));
  SLUICE_ASSIGN(const Directory listed, ListLog(env.files, dir));
  OpenedLog opened;
  opened.log.reset(new FileLog(env, dir, options));
  RecoveryReport& report = opened.report;
  if (listed.segments.empty()) {
    SLUICE_TRY(MayCreate(dir, options, witness));
    SLUICE_TRY(opened.log->TakeOverFiles(listed));
    SLUICE_TRY(opened.log->Create());
    report.created = true;
    report.log_id = opened.log->id();
    report.first = report.next = opened.log->next();
  } else {
    SLUICE_ASSIGN(Recovered recovered, Recover(env.files, dir, listed.segments, witness,
                                               options.scan_from, options.expected_id));
    report = recovered.report;
    SLUICE_TRY(opened.log->TakeOverFiles(listed));
    SLUICE_TRY(opened.log->Continue(std::move(recovered)));
    report.first = opened.log->first();
  }
  report.segments = opened.log->table_->size();
  report.micros = env.clock.MonotonicUs() - start_us;
  return opened;
}

Status FileLog::TakeOverFiles(const Directory& listed) {
  for (const std::string& name : listed.temporaries) {
    SLUICE_TRY(env_.files.Remove(dir_ + "/" + name));
  }
  // A spare may have been a segment before. Its new name must last before its content is replaced.
  SLUICE_TRY(env_.files.SyncDir(dir_));
  for (const std::string& name : listed.spares) SLUICE_TRY(pool_.Adopt(name));
  return Ok();
}

Status FileLog::Create() {
  id_ = model::LogId(env_.entropy.Next());
  SLUICE_TRY(env_.files.SyncDir(ParentOf(dir_)));
  return BeginSegment({model::Lsn(1), 0}, 0, SegmentPool::Purpose::kRecovery, nullptr);
}

Status FileLog::Continue(Recovered recovered) {
  const RecoveryReport& report = recovered.report;
  id_ = report.log_id;
  term_ = report.term.value;
  time_ = report.time.value;
  recovered.segments.back().end = recovered.keep_end;
  segment_.number = recovered.segments.back().header.number;
  std::vector<SegmentHeader> superseded;
  for (RecoveredSegment& segment : recovered.segments) {
    if (segment.end == kSegmentHeaderBytes) {
      superseded.push_back(segment.header);
      continue;
    }
    // Not scanned: whole as far as its successor's beginning, which readers recognise.
    if (segment.end == 0) segment.end = segment.header.bytes;
    table_->Add({segment.header, segment.file, segment.end});
  }
  const uint64_t tail_bytes = recovered.tail.has_value() ? recovered.tail->padded() : 0;
  // Written anew even when it reads back well: after a failed sync the page cache may show what
  // the disk does not hold.
  SLUICE_TRY(BeginSegment(recovered.keep, tail_bytes, SegmentPool::Purpose::kRecovery, &recovered));
  for (const SegmentHeader& header : superseded) {
    SLUICE_TRY(pool_.Recycle(SegmentName(header.number), header.bytes));
  }
  return Ok();
}

Status FileLog::BeginSegment(const Place& start, uint64_t frame_bytes, SegmentPool::Purpose purpose,
                             const Recovered* recovered) {
  const uint64_t bytes = std::max(options_.segment_bytes, kSegmentHeaderBytes + frame_bytes);
  SLUICE_ASSIGN(Spare spare, pool_.Take(bytes, purpose));
  SegmentHeader header;
  header.number = segment_.number + 1;
  header.log_id = id_;
  header.salt = env_.entropy.Next();
  header.bytes = spare.bytes;
  header.recycled = spare.recycled;
  header.start = start;
  header.durable = model::Lsn(start.next.value - 1);
  header.time = time();
  header.term = term();
  Status written = spare.file->WriteAt(0, EncodeSegmentHeader(header));
  place_ = start;
  offset_ = kSegmentHeaderBytes;
  if (written.ok() && recovered != nullptr) written = WriteTail(*recovered, spare, header.salt);
  if (written.ok()) written = spare.file->Sync();
  if (!written.ok()) {
    pool_.Discard(spare);
    return written;
  }
  Status named = env_.files.Rename(spare.path, dir_ + "/" + SegmentName(header.number));
  if (named.ok()) named = env_.files.SyncDir(dir_);
  if (!named.ok()) return Fail(Code::kIo, named.error().message);
  segment_ = header;
  file_ = spare.file;
  next_ = place_.next.value;
  table_->Add({header, spare.file, offset_});
  return Ok();
}

Status FileLog::WriteTail(const Recovered& recovered, const Spare& spare, uint64_t salt) {
  if (!recovered.tail.has_value()) return Ok();
  GroupHeader header = *recovered.tail;
  std::string frame = recovered.tail_frame;
  EncodeGroupHeader(header, salt, frame.data());
  SLUICE_TRY(spare.file->WriteAt(offset_, frame));
  place_ = header.after();
  offset_ += header.padded();
  return Ok();
}

Status FileLog::Append(model::Lsn expected_first, model::Term term, const GroupToWrite& group) {
  SLUICE_CHECK(group.first == expected_first);
  if (failed_) return Fail(Code::kFenced, "an earlier write to the log failed");
  if (term.value != term_) {
    return Fail(Code::kFenced, fmt::format("the log is sealed for term {}, this writer has {}",
                                           term_.load(), term.value));
  }
  if (expected_first != place_.next) {
    return Fail(Code::kConflict,
                fmt::format("the next LSN is {}, not {}", place_.next.value, expected_first.value));
  }
  return Write(group, term);
}

Status FileLog::Seal(model::Term term) {
  if (failed_) return Fail(Code::kFenced, "an earlier write to the log failed");
  if (term.value <= term_) {
    return Fail(Code::kFenced, fmt::format("the log is sealed for term {}", term_.load()));
  }
  GroupToWrite fence;
  fence.first = place_.next;
  fence.durable = model::Lsn(place_.next.value - 1);
  fence.time = time();
  fence.flags = kGroupFence;
  SLUICE_TRY(Write(fence, term));
  term_ = term.value;
  return Ok();
}

Status FileLog::Write(const GroupToWrite& group, model::Term term) {
  GroupBuffer& buffer = group.buffer != nullptr ? *group.buffer : scratch_;
  if (group.buffer == nullptr) {
    scratch_.Clear();
    scratch_.AddLaidOut(group.batches);
  }
  GroupHeader header;
  uint64_t records = 0;
  const bool sound = CountBatches(buffer.batches(), &header.batches, &records);
  SLUICE_CHECK(sound && records == group.records);
  SLUICE_TRY(MakeRoom(buffer.FrameBytes(group.shards.size())));
  header.flags = group.flags;
  header.records = group.records;
  header.term = term;
  header.log_id = id_;
  header.place = place_;
  header.durable = group.durable;
  header.time = std::max(group.time, time());
  const std::string_view frame = buffer.Frame(header, group.shards, segment_.salt);
  Status written = file_->WriteAt(offset_, frame);
  // Without a sync nothing is decided: the same place can be written again.
  if (!written.ok() && written.error().code == Code::kNoSpace) return written;
  if (written.ok()) written = file_->Sync();
  if (!written.ok()) return Poison(written.error());
  Publish(header);
  return Ok();
}

Status FileLog::MakeRoom(uint64_t frame_bytes) {
  if (offset_ + frame_bytes <= segment_.bytes) return Ok();
  const uint64_t offset = offset_;
  const Status begun = BeginSegment(place_, frame_bytes, SegmentPool::Purpose::kAppend, nullptr);
  if (begun.ok()) return Ok();
  offset_ = offset;
  if (begun.error().code == Code::kNoSpace) return begun;
  return Poison(begun.error());
}

void FileLog::Publish(const GroupHeader& header) {
  place_ = header.after();
  offset_ += header.padded();
  time_ = header.time.value;
  table_->ExtendLast(offset_);
  next_ = place_.next.value;
}

Failure FileLog::Poison(const Error& error) {
  failed_ = true;
  return Fail(Code::kOutcomeUnknown, "the log failed: " + error.message);
}

Status FileLog::Trim(model::Lsn below) {
  if (trim_error_.has_value()) return Fail(*trim_error_);
  while (table_->size() > 1) {
    const SegmentEntry oldest = table_->First();
    if (table_->After(oldest.header.number)->header.start.next > below) break;
    // Readers that stand in it must hear so before its file can hold something else.
    table_->RemoveFirst();
    const Status recycled = pool_.Recycle(SegmentName(oldest.header.number), oldest.header.bytes);
    if (!recycled.ok()) {
      // Trimming on behind a segment that may still be there would leave a gap in the log.
      trim_error_ = Error{Code::kIo, fmt::format("trimming: {}", recycled.error().message)};
      return Fail(*trim_error_);
    }
  }
  return Ok();
}

Result<std::unique_ptr<Reader>> FileLog::Read(model::Lsn from) {
  return FileLogReader::Open(table_, from);
}

}  // namespace sluice::log
