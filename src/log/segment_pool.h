// SegmentPool keeps files ready that the log can turn into segments without waiting for zeroes.
//
//   Prepare()  makes a spare file of zeroes, if one is missing: slow, for a background thread.
//   Take()     hands one out as a file with a name of its own; the log writes a header and renames.
//   Recycle()  takes a trimmed segment's file back as a spare.
//
// The last spare is a reserve: only opening the log may take it, so that a disk which filled up can
// still be recovered.
//
// Threads:  any.
// Failure:  kNoSpace and kIo leave the spares as they were; a file half made is removed.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"

namespace sluice::log {

inline constexpr size_t kSparesReady = 2;  // Prepare makes so many
// Segments become spares up to so many. A log that is trimmed by runs falls and rises by several
// segments: with room for them, only its first rise writes zeroes.
inline constexpr size_t kSparesMax = 4;
inline constexpr size_t kSparesReserve = 1;  // of these, for opening the log alone

inline constexpr std::string_view kSpareSuffix = ".spare";
inline constexpr std::string_view kTemporarySuffix = ".tmp";

struct Spare {
  std::string path;
  std::shared_ptr<env::File> file;
  uint64_t bytes = 0;
  bool recycled = false;
};

class SegmentPool {
 public:
  SegmentPool(env::FileSystem& files, std::string dir, uint64_t segment_bytes);

  enum class Purpose : uint8_t { kAppend, kRecovery };

  // Takes over a spare found in the directory, or removes it when it cannot be used.
  // Requires: the name is a spare's.
  Status Adopt(const std::string& name);

  bool NeedsPrepare() const;
  Status Prepare();

  // A spare of at least `bytes`, made on the spot if there is none.
  Result<Spare> Take(uint64_t bytes, Purpose purpose);

  // Turns the file of a segment that is no longer needed into a spare, or removes it when there
  // are enough. On OK that is durable.
  Status Recycle(const std::string& segment_name, uint64_t bytes);

  // Removes a spare that was taken and could not be used.
  void Discard(const Spare& spare);

 private:
  struct Entry {
    std::string path;
    bool recycled;
  };
  Result<Spare> Make(uint64_t bytes);
  std::string NewPath(uint64_t number, std::string_view suffix) const;

  env::FileSystem& files_;
  const std::string dir_;
  const uint64_t segment_bytes_;
  mutable std::mutex mutex_;  // guards what follows; never held during I/O
  std::vector<Entry> spares_;
  size_t making_ = 0;  // spares that are on their way
  uint64_t next_number_ = 1;
};

}  // namespace sluice::log
