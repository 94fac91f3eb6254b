// What the tests of this room share: groups made from a seed, and logs read back whole.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/prng.h"
#include "env/env.h"
#include "log/file_log.h"
#include "log/group_buffer.h"
#include "log/log.h"
#include "model/ids.h"

namespace sluice::log {

// A batch or a group with its own memory.
struct OwnBatch {
  std::string bytes;
  uint32_t records = 0;
  model::LogTime time;

  bool operator==(const OwnBatch&) const = default;
};

struct OwnGroup {
  model::Lsn first;
  uint32_t records = 0;
  uint16_t flags = 0;
  model::Term term;
  std::vector<OwnBatch> batches;
  std::vector<ShardSpan> spans;

  model::Lsn last() const { return model::Lsn(first.value + records - 1); }
  bool operator==(const OwnGroup& other) const {
    const auto same = [](const ShardSpan& a, const ShardSpan& b) {
      return a.shard == b.shard && a.epoch == b.epoch && a.lineage == b.lineage &&
             a.first_seq == b.first_seq && a.records == b.records;
    };
    return first == other.first && records == other.records && flags == other.flags &&
           term == other.term && batches == other.batches &&
           std::equal(spans.begin(), spans.end(), other.spans.begin(), other.spans.end(), same);
  }
};

inline std::string RandomBytes(Prng& prng, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng());
  return bytes;
}

// A group of 1 to 3 batches of 1 to 4 records, up to `bytes_max` of bytes in all.
inline OwnGroup RandomGroup(Prng& prng, model::Lsn first, model::Term term, size_t bytes_max) {
  OwnGroup group;
  group.first = first;
  group.term = term;
  const size_t batches = 1 + prng.Below(3);
  for (size_t i = 0; i < batches; ++i) {
    OwnBatch batch;
    batch.records = 1 + static_cast<uint32_t>(prng.Below(4));
    batch.bytes = RandomBytes(prng, prng.Below(bytes_max / batches + 1));
    batch.time = model::LogTime::OfMs(1000 + first.value);
    group.records += batch.records;
    group.batches.push_back(std::move(batch));
  }
  const auto lineage = model::Lineage(1 + prng.Below(3));
  group.spans.push_back({model::ShardId(static_cast<uint32_t>(lineage.value)), model::Epoch(1),
                         lineage, model::ShardSeq(first.value), group.records});
  return group;
}

// Appends it as the committer would, or from bytes laid out elsewhere.
inline Status AppendTo(Log& log, const OwnGroup& group, bool in_place = true) {
  GroupBuffer buffer;
  buffer.Clear();
  GroupToWrite to_write;
  to_write.first = group.first;
  to_write.records = group.records;
  to_write.durable = model::Lsn(group.first.value - 1);
  to_write.flags = group.flags;
  to_write.shards = group.spans;
  for (const OwnBatch& batch : group.batches) {
    buffer.AddBatch(batch.bytes, batch.records, batch.time);
    to_write.time = std::max(to_write.time, batch.time);
  }
  to_write.batches = buffer.batches();
  const std::string copy(to_write.batches);
  if (in_place) {
    to_write.buffer = &buffer;
  } else {
    to_write.batches = copy;
  }
  return log.Append(group.first, group.term, to_write);
}

inline Status AppendMark(Log& log, uint16_t flags) {
  OwnGroup mark;
  mark.first = log.next();
  mark.flags = flags;
  mark.term = log.term();
  return AppendTo(log, mark);
}

inline OwnGroup Own(const GroupView& view) {
  OwnGroup group{view.first, view.records, view.flags, view.term, {}, {}};
  for (const BatchView& batch : view.batches) {
    group.batches.push_back({std::string(batch.bytes), batch.records, batch.time});
  }
  group.spans.assign(view.shards.begin(), view.shards.end());
  return group;
}

// The groups that hold records, from `from` on. Fails the test on an error.
inline std::vector<OwnGroup> ReadGroups(Log& log, model::Lsn from) {
  std::vector<OwnGroup> groups;
  auto reader = log.Read(from);
  EXPECT_TRUE(reader.has_value()) << reader.error().message;
  if (!reader.has_value()) return groups;
  for (;;) {
    const auto group = (*reader)->Next();
    EXPECT_TRUE(group.has_value()) << group.error().message;
    if (!group.has_value() || *group == nullptr) return groups;
    if ((*group)->records > 0) groups.push_back(Own(**group));
  }
}

inline constexpr uint64_t kSmallSegment = kSegmentBytesLeast;

inline Result<OpenedLog> OpenSmall(env::Env env, const std::string& dir,
                                   model::Lsn witness = model::Lsn(0)) {
  FileLogOptions options;
  options.segment_bytes = kSmallSegment;
  return FileLog::Open(env, dir, options, witness);
}

}  // namespace sluice::log
