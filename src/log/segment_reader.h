// SegmentReader walks the groups of one segment file, checking all that a group says of itself.
//
// Threads:  none of its own; one caller at a time.
// Failure:  kIo only. What does not fit is not an error here: it may be the log's end. The caller
//           decides, with what it knows of what was durable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "log/format.h"

namespace sluice::log {

class SegmentReader {
 public:
  enum class Found : uint8_t {
    kGroup,      // group() is it; the reader stands behind it
    kNoHeader,   // no header of this segment's salt here
    kTornBody,   // a header that fits, but its body fails or is not all there
    kMisplaced,  // a sound header that does not follow the group before, or an impossible body
  };

  SegmentReader(std::shared_ptr<env::File> file, const SegmentHeader& header);

  // Looks at the next group, reading no further than `limit` (an offset in the file).
  Result<Found> Next(uint64_t limit);

  const GroupHeader& header() const { return header_; }  // of kGroup, kTornBody, kMisplaced
  const GroupView& group() const { return view_; }       // valid until the next call
  // The group's bytes up to its padding, valid until the next call.
  std::string_view frame() const { return frame_; }
  uint64_t offset() const { return offset_; }  // where the next group is looked for
  const Place& place() const { return place_; }
  const SegmentHeader& segment() const { return segment_; }

 private:
  // `size` bytes at `offset`, or fewer if `limit` comes first.
  Result<std::string_view> Fetch(uint64_t offset, uint64_t size, uint64_t limit);
  void Describe();

  const std::shared_ptr<env::File> file_;
  const SegmentHeader segment_;
  uint64_t offset_ = kSegmentHeaderBytes;
  Place place_;
  std::unique_ptr<char[]> buffer_;
  uint64_t buffer_capacity_ = 0;
  uint64_t buffer_offset_ = 0, buffer_size_ = 0;  // the stretch of the file in the buffer
  GroupHeader header_;
  std::string_view frame_;
  std::vector<BatchView> batches_;
  std::vector<ShardSpan> spans_;
  GroupView view_;
};

// Reads and checks the header of `dir`/`name`: its number must be the name's, its size the file's.
// kInvalid: written by a newer Sluice. kCorrupt: damaged or not ours. Messages name the file.
struct OpenSegment {
  SegmentHeader header;
  std::shared_ptr<env::File> file;
};
Result<OpenSegment> OpenSegmentFile(env::FileSystem& files, const std::string& dir,
                                    uint64_t number);

// What lies in a segment from `offset` on, where its groups end.
struct Remains {
  uint64_t later_header = 0;  // offset, behind the first page, of a sound group header; 0: none
  uint64_t last_used = 0;     // end of the last page that is not all zeroes; 0: all are
};
Result<Remains> InspectRemains(env::File& file, const SegmentHeader& segment, uint64_t offset);

}  // namespace sluice::log
