// FileSink: a projection as files of NDJSON in a directory: an archive of what changed, a line for
// each key of a batch.
//
//   {"key":"likes:7","kind":"value","value":"12","delta":3,"writes":3,"lineage":"5","seq":9,…}
//   {"position":{"5":9},"epoch":4,"projection":"archive","bytes":99,"sum":"…"}
//
// Each batch ends with a line that says the position, and is synced. A batch without that line, or
// with another checksum than it says, never was: opening cuts it off. Spaces fill the line up to
// the end of a page. Files are named by the position at which they begin, so that names in order
// are the order of what happened.
//
// Owns:     the files of its directory that are named so.
// Threads:  as Sink.
// Failure:  as Sink. After a failed sync nobody knows what the disk holds of the last file; opening
//           writes what it reads of it into a new one first.
// Bounds:   a file ends once it has kFileBytes; a batch is built in memory.
// Format:   docs/formats/archive.md
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "env/env.h"
#include "project/sink.h"

namespace sluice::project {

inline constexpr uint64_t kFileBytes = 32 << 20;

class FileSink final : public Sink {
 public:
  // `name`: the projection's. A directory of another projection is refused.
  FileSink(env::FileSystem& files, std::string dir, std::string name,
           uint64_t file_bytes = kFileBytes)
      : files_(files), dir_(std::move(dir)), name_(std::move(name)), file_bytes_(file_bytes) {}

  Result<Position> Open(uint64_t epoch) override;
  Status Write(const Batch& batch) override;
  Result<Position> Look() override;
  // Files take anything.
  Result<std::vector<DeadLetter>> FindRefused(const Batch&) override {
    return std::vector<DeadLetter>();
  }
  Result<std::vector<DeadLetter>> Dead() override { return std::vector<DeadLetter>(); }
  SinkReport report() const override { return {}; }
  void Cancel() override {}

 private:
  Status Check(const Batch& batch);
  Result<std::string> ReadLast(const std::string& name);
  Status Begin(const std::string& name, std::string text);
  Status BeginNext();
  Status Clear();
  Position Places() const;

  env::FileSystem& files_;
  const std::string dir_, name_;
  const uint64_t file_bytes_;
  uint64_t epoch_ = 0;
  std::map<uint64_t, uint64_t> at_;  // the position, by lineage
  std::unique_ptr<env::File> file_;  // the last one; none: to be opened
  uint64_t offset_ = 0;
};

// What the lines of such files say: for readers of archives, and for tests.
struct ArchiveMark {
  std::map<uint64_t, uint64_t> position;  // by lineage
  uint64_t epoch = 0, bytes = 0, sum = 0;
  std::string projection;
};

// The line, with its end.
std::string ArchiveLine(const Change& change);
std::string ArchiveLine(const ArchiveMark& mark);
// False if it is not such a line.
bool ReadArchiveLine(std::string_view line, ArchiveMark* mark);
bool ReadArchiveLine(std::string_view line, Change* change);

// How much of `text` ends with a whole batch, and that batch's mark; 0: none of it.
size_t WholeBatches(std::string_view text, ArchiveMark* last);

}  // namespace sluice::project
