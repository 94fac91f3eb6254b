// Recovery reads what a log's directory holds and decides where the log ends: what is whole, what
// is a torn tail that nobody was told of, and what is damage.
//
// Nothing is changed on disk here; FileLog::Open does that with the answer. The rules:
// docs/formats/log.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "log/format.h"
#include "log/segment_reader.h"
#include "model/ids.h"

namespace sluice::log {

// What opening a log found and did; for the first lines of `serve` and for the lanes.
struct RecoveryReport {
  bool created = false;     // there was no log
  bool clean_stop = false;  // the last writer stopped in order
  model::LogId log_id;
  model::Lsn first;  // least LSN that can be read
  model::Lsn next;   // LSN of the next record
  model::Term term;
  model::LogTime time;
  uint64_t segments = 0;
  uint64_t scanned_groups = 0, scanned_records = 0, scanned_bytes = 0;  // from scan_from on
  uint64_t cut_bytes = 0;                                               // of a torn tail; 0: none
  std::string cut_reason;          // in words, when cut_bytes > 0
  uint64_t rewritten_records = 0;  // of the last group, which had no witness
  uint64_t micros = 0;
  model::Epoch greatest_epoch;  // of any shard in the scanned part
  // By lineage, the number its next record will carry; for lineages in the scanned part.
  std::unordered_map<model::Lineage, model::ShardSeq> next_seq;
};

struct RecoveredSegment {
  SegmentHeader header;
  std::shared_ptr<env::File> file;
  uint64_t end = 0;  // where its valid groups end; 0: not scanned
};

struct Recovered {
  RecoveryReport report;
  std::vector<RecoveredSegment> segments;  // oldest first, never empty
  Place keep;                              // up to here the last segment stays as it is
  uint64_t keep_end = 0;                   // the same as an offset in it
  // The last group, when nothing witnesses that it is on disk: to be written again behind `keep`.
  std::optional<GroupHeader> tail;
  std::string tail_frame;
};

// What a directory of a log holds, by name.
struct Directory {
  std::vector<uint64_t> segments;  // numbers, ascending
  std::vector<std::string> spares, temporaries;
};

// kInvalid, with its name: a file that is not a log's.
Result<Directory> ListLog(env::FileSystem& files, const std::string& dir);

// Requires: `numbers` is not empty.
//   kCorrupt  damage before the durable point; the message names segment, offset and witness.
//   kInvalid  written by a newer Sluice, or not the log `expected`.
Result<Recovered> Recover(env::FileSystem& files, const std::string& dir,
                          const std::vector<uint64_t>& numbers, model::Lsn witness,
                          model::Lsn scan_from, std::optional<model::LogId> expected = {});

}  // namespace sluice::log
