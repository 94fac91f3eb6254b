// FileLog is the log in files of one directory.
//
//   Open()     reads what is there, cuts a torn tail, refuses damage, and is ready to append.
//   Prepare()  makes the next segment's file ahead of time, so that Append need not wait for it.
//
// Owns:     the files of the directory; no other process may have it open (the caller locks it).
// Threads:  Append, Seal, Trim: the log's own thread. Prepare, Read, accessors: any.
// Failure:  see Log. After a failed write or sync the log takes nothing more; opening it anew
//           (best in a new process) writes the unwitnessed tail again before anything else.
// Format:   docs/formats/log.md
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "env/env.h"
#include "log/format.h"
#include "log/group_buffer.h"
#include "log/log.h"
#include "log/recovery.h"
#include "log/segment_pool.h"
#include "log/segment_table.h"
#include "model/ids.h"

namespace sluice::log {

inline constexpr uint64_t kSegmentBytesLeast = 64 << 10;

struct FileLogOptions {
  uint64_t segment_bytes = 128 << 20;  // whole pages, at least kSegmentBytesLeast
  // Recovery reads from the segment that holds this LSN; of older ones it checks the headers only.
  model::Lsn scan_from;
  // Refuse any other log, and an empty directory.
  std::optional<model::LogId> expected_id;
};

struct OpenedLog;

class FileLog final : public Log {
 public:
  // Opens the log in `dir`, or makes one if there is none. `witness`: the greatest LSN that
  // anything outside the log knows to be durable (positions of the store and of projections).
  //   kCorrupt  damage before the durable point, or a log that is missing; says where, and what
  //             witnesses it. Nothing on disk was changed.
  //   kInvalid  written by a newer Sluice, another log than expected, or not a log's directory.
  //             Nothing on disk was changed.
  //   kNoSpace, kIo  opening may be tried again; nothing of the log was lost.
  static Result<OpenedLog> Open(env::Env env, const std::string& dir, FileLogOptions options,
                                model::Lsn witness);

  Status Append(model::Lsn expected_first, model::Term term, const GroupToWrite& group) override;
  Status Seal(model::Term term) override;
  Result<std::unique_ptr<Reader>> Read(model::Lsn from) override;
  // kIo: trimming stopped for good; the log goes on growing until it is opened anew.
  Status Trim(model::Lsn below) override;

  // Makes one spare segment if one is missing. Slow: for a background thread.
  //   kNoSpace  there is none; may be tried again.  kIo  the same, for another reason.
  Status Prepare() { return pool_.Prepare(); }
  bool NeedsPrepare() const { return pool_.NeedsPrepare(); }

  model::LogId id() const override { return id_; }
  model::Term term() const override { return model::Term(term_.load()); }
  model::Lsn first() const override { return table_->First().header.start.next; }
  model::Lsn next() const override { return model::Lsn(next_.load()); }
  model::LogTime time() const override { return {time_.load()}; }
  uint64_t bytes() const override { return table_->bytes(); }
  uint64_t bytes_after(model::Lsn lsn) const override { return table_->BytesAfter(lsn, next()); }
  std::vector<model::Lsn> starts() const override { return table_->Starts(); }

 private:
  FileLog(env::Env env, std::string dir, const FileLogOptions& options);

  Status Create();
  Status Continue(Recovered recovered);
  Status TakeOverFiles(const Directory& listed);
  Status BeginSegment(const Place& start, uint64_t frame_bytes, SegmentPool::Purpose purpose,
                      const Recovered* recovered);
  Status WriteTail(const Recovered& recovered, const Spare& spare, uint64_t salt);
  Status Write(const GroupToWrite& group, model::Term term);
  Status MakeRoom(uint64_t frame_bytes);
  void Publish(const GroupHeader& header);
  Failure Poison(const Error& error);

  const env::Env env_;
  const std::string dir_;
  const FileLogOptions options_;
  model::LogId id_;
  SegmentPool pool_;
  const std::shared_ptr<SegmentTable> table_;

  // The log thread's view of where it writes.
  std::shared_ptr<env::File> file_;  // of the last segment
  SegmentHeader segment_;
  uint64_t offset_ = 0;
  Place place_;
  GroupBuffer scratch_;  // for groups that come without a buffer of their own
  bool failed_ = false;
  std::optional<Error> trim_error_;

  // Copies of it for other threads.
  std::atomic<uint64_t> next_{1}, time_{0};
  std::atomic<uint32_t> term_{0};
};

struct OpenedLog {
  std::unique_ptr<FileLog> log;
  RecoveryReport report;
};

}  // namespace sluice::log
