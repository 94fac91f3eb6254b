#include "project/file_sink.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

namespace sluice::project {
namespace {

constexpr std::string_view kSuffix = ".ndjson";
constexpr size_t kDigits = 20;
// The last file may pass its bound by a batch.
constexpr uint64_t kReadBytesMost = uint64_t{1} << 30;

bool IsArchive(std::string_view name) {
  return name.size() == kDigits + kSuffix.size() && name.ends_with(kSuffix) &&
         std::all_of(name.begin(), name.begin() + kDigits,
                     [](char c) { return c >= '0' && c <= '9'; });
}

// A batch begins on a page of its own: one that is torn then hurts none before it.
void PadToPage(std::string& text) {
  const size_t over = text.size() % env::kPageBytes;
  if (over != 0) text.insert(text.size() - 1, env::kPageBytes - over, ' ');
}

std::string NameAt(const std::map<uint64_t, uint64_t>& position) {
  uint64_t records = 0;
  for (const auto& [lineage, seq] : position) records += seq;
  return fmt::format("{:020}{}", records, kSuffix);
}

}  // namespace

Position FileSink::Places() const {
  Position position;
  for (const auto& [lineage, seq] : at_) {
    position.push_back({model::Lineage(lineage), model::ShardSeq(seq)});
  }
  return position;
}

Result<Position> FileSink::Open(uint64_t epoch) {
  file_.reset();
  epoch_ = epoch;
  if (const Status made = files_.CreateDir(dir_); !made.ok()) {
    const bool missing = made.error().code == Code::kNotFound;
    return Fail(missing ? Code::kInvalid : made.error().code, made.error().In(dir_).message);
  }
  const size_t slash = dir_.rfind('/');
  SLUICE_TRY(files_.SyncDir(slash == std::string::npos ? "."
                            : slash == 0               ? "/"
                                                       : dir_.substr(0, slash)));
  SLUICE_ASSIGN(const auto names, files_.List(dir_));
  std::string last;
  for (const std::string& name : names) {
    if (IsArchive(name)) last = name;
  }
  at_.clear();
  std::string text;
  if (!last.empty()) {
    SLUICE_ASSIGN(text, ReadLast(last));
  }
  if (last.empty()) last = NameAt(at_);
  // From here on the file is of this epoch, and on the disk as it was read.
  text += ArchiveLine({at_, epoch_, 0, XXH3_64bits("", 0), name_});
  SLUICE_TRY(Begin(last, std::move(text)));
  return Places();
}

// The last file's whole batches, and where they end.
Result<std::string> FileSink::ReadLast(const std::string& name) {
  SLUICE_ASSIGN(std::string text, env::ReadFile(files_, dir_ + "/" + name, kReadBytesMost));
  ArchiveMark mark;
  text.resize(WholeBatches(text, &mark));
  if (text.empty()) {
    return Fail(Code::kInvalid,
                fmt::format("{}/{} has no whole line that says a position: it is damaged, or not "
                            "a file of a projection",
                            dir_, name));
  }
  if (mark.projection != name_) {
    return Fail(Code::kInvalid, fmt::format("{} holds the files of projection {}, not of {}", dir_,
                                            mark.projection, name_));
  }
  if (mark.epoch > epoch_) {
    return Fail(Code::kFenced, fmt::format("a later node has written to {} (epoch {}, this is {})",
                                           dir_, mark.epoch, epoch_));
  }
  at_ = std::move(mark.position);
  return text;
}

Status FileSink::Begin(const std::string& name, std::string text) {
  PadToPage(text);
  SLUICE_TRY(env::ReplaceFile(files_, dir_, name, text));
  SLUICE_ASSIGN(file_, files_.Open(dir_ + "/" + name, env::OpenMode::kReadWrite));
  offset_ = text.size();
  return Ok();
}

Status FileSink::BeginNext() {
  return Begin(NameAt(at_), ArchiveLine({at_, epoch_, 0, XXH3_64bits("", 0), name_}));
}

// The last file first, each for good before the next: whatever a crash leaves is an archive up to
// the position that its last file says.
Status FileSink::Clear() {
  SLUICE_ASSIGN(auto names, files_.List(dir_));
  std::reverse(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!IsArchive(name)) continue;
    SLUICE_TRY(files_.Remove(dir_ + "/" + name));
    SLUICE_TRY(files_.SyncDir(dir_));
  }
  return Ok();
}

Status FileSink::Check(const Batch& batch) {
  if (!file_) return Fail(Code::kUnavailable, "the sink is not open");
  SLUICE_ASSIGN(const uint64_t size, file_->Size());
  if (size != offset_) return Fail(Code::kFenced, dir_ + ": another process writes to it");
  if (batch.anew) return Ok();
  std::map<uint64_t, uint64_t> from;
  for (const Place& place : batch.from) from[place.lineage.value] = place.seq.value;
  for (const Place& place : batch.to) {
    const auto at = at_.find(place.lineage.value);
    if (from[place.lineage.value] != (at == at_.end() ? 0 : at->second)) {
      return Fail(Code::kConflict, dir_ + " is at another position");
    }
  }
  return Ok();
}

Result<Position> FileSink::Look() {
  SLUICE_TRY(Check({}));
  return Places();
}

Status FileSink::Write(const Batch& batch) {
  SLUICE_TRY(Check(batch));
  if (!batch.dead.empty()) return Fail(Code::kInvalid, "files refuse nothing, and keep no letters");
  if (batch.anew) {
    file_.reset();
    SLUICE_TRY(Clear());
    at_.clear();
    SLUICE_TRY(BeginNext());
  } else if (offset_ >= file_bytes_) {
    SLUICE_TRY(BeginNext());
  }
  std::string text;
  for (const Change& change : batch.changes) text += ArchiveLine(change);
  for (const Place& place : batch.to) at_[place.lineage.value] = place.seq.value;
  const uint64_t sum = XXH3_64bits(text.data(), text.size());
  text += ArchiveLine({at_, epoch_, text.size(), sum, name_});
  PadToPage(text);
  const Status written = file_->WriteAt(offset_, text);
  const Status synced = written.ok() ? file_->Sync() : written;
  if (synced.ok()) {
    offset_ += text.size();
    return Ok();
  }
  file_.reset();  // opening finds out what is there
  const bool nothing = synced.error().code == Code::kNoSpace && !written.ok();
  return Fail(nothing ? Code::kNoSpace : Code::kOutcomeUnknown, synced.error().In(dir_).message);
}

}  // namespace sluice::project
