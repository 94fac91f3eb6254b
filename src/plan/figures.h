// Figures: what was measured, for plans that are given nothing better.
//
// From bench/results/latest.md (2026-11-28: two cores of a 2 x Intel Xeon machine with a virtual
// disk, the generator on the same cores, one lane; 100-byte values, 16-byte keys). Another machine
// has others: `sluice plan --live` reads those of a running node, and options set each.
#pragma once

namespace sluice::plan {

inline constexpr double kMeasuredKeyBytes = 16, kMeasuredValueBytes = 100;

// S1, SET -P 16 with ack = durable: writes a second that one lane carries.
inline constexpr double kWritesPerLane = 637'000;
// S2: the p99 of an fdatasync of 4 KiB, in seconds.
inline constexpr double kSyncSeconds = 0.000312;
// S8, SET, 2 lanes: syncs for each write at -P 1 and at -P 64, the most and the least that group
// commit was seen to need.
inline constexpr double kSyncsPerWriteMost = 0.0772, kSyncsPerWriteLeast = 0.0017;
// S8, SET, 2 lanes at -P 64: bytes of the log for each write, of which 100 are the value.
inline constexpr double kLogBytesPerWrite = 125;
// S3 with S5: bytes written to the disk for each byte that clients send, log and merging included.
inline constexpr double kWriteAmplification = 3.31;
// S3 with S5: bytes that the disk keeps for each live byte.
inline constexpr double kSpaceAmplification = 1.04;
// S3: 523k writes a second, kept up until compaction was done, times 116 bytes times 3.31: what
// that disk took in. It may take more; a plan believes no more than was seen.
inline constexpr double kDiskBytesPerSecond = 523'000 * 116 * 3.31;
// S3: 734 MiB resident at its peak, with 31.6 million live keys.
inline constexpr double kResidentBytesAtS3 = 734.0 * (1 << 20), kLiveKeysAtS3 = 31'600'000;

}  // namespace sluice::plan
