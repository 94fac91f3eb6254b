// LaneHeat: what one lane knows of the heat of its shards and keys.
//
// Writes and reads are counted one by one. Of the writes, some are sampled: their keys feed the hot
// keys, their waits the percentiles, their tokens what is learned of where the load lies. A lane
// samples every write while it has at most kSamplesPerSecond, and else so many of them that it has
// about as many, each standing for those that were left out; which ones is drawn at random, so that
// no rhythm of the load hides a key.
//
// Owns:     per shard 3 KiB; kHotKeys counters; at most kTurnsWaiting turns that wait, and two
//           seconds of kSamplesKept samples.
// Threads:  none; the lane's own.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "heat/hot_keys.h"
#include "heat/latencies.h"
#include "heat/sample.h"
#include "heat/windows.h"
#include "model/ids.h"

namespace sluice::heat {

inline constexpr size_t kHotKeys = 512;
inline constexpr uint64_t kSamplesPerSecond = 5'000;
inline constexpr size_t kSamplesPerTurn = 32;  // whose waits are timed
inline constexpr size_t kTurnsWaiting = 256;   // for the log; later ones are not timed

inline constexpr size_t kSamplesKept = 8'192;  // of one second; the weight of more is theirs

// What is known of one shard.
struct ShardHeat {
  struct Window {
    Load load;
    std::optional<uint64_t> p50_us, p99_us;  // of its writes, until they were durable
  };
  Window second, minute, ten_minutes;  // percentiles of "a second": of about five
  double busiest_minute = 0;           // writes a second, of the ten
};

// What waits in one shard, told by each command that does.
struct Queue {
  uint64_t commands = 0, bytes = 0;
};
class Waits {
 public:
  Waits(std::shared_ptr<Queue> queue, uint64_t bytes) : queue_(std::move(queue)), bytes_(bytes) {
    ++queue_->commands;
    queue_->bytes += bytes_;
  }
  ~Waits() {
    --queue_->commands;
    queue_->bytes -= bytes_;
  }
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

 private:
  const std::shared_ptr<Queue> queue_;
  const uint64_t bytes_;
};

// Where a shard of a new map comes from: shards [first, first + count) of the old one, and of their
// load it is taken to have this part, as nobody knows better yet.
struct Former {
  size_t first = 0, count = 0;
  double share = 1;
};

class LaneHeat {
 public:
  // `shards`: of the node's map, also those of other lanes.
  LaneHeat(size_t shards, uint64_t seed);

  // The commands that follow belong to a turn that begins now.
  void BeginTurn(uint64_t now_us);
  // All turns up to this record are.
  void Durable(model::Lsn lsn);
  void Read(size_t shard) { ++shards_[shard].reads; }
  // `bytes`: of the key and what was written.
  void Write(model::KeyspaceId keyspace, size_t shard, std::string_view token, std::string_view key,
             size_t bytes) {
    Shard& here = shards_[shard];
    ++here.writes;
    here.bytes += bytes;
    if (--until_sample_ == 0) TakeSample(keyspace, shard, token, key);
  }
  // The turn's last record; none: it had none.
  void EndTurn(model::Lsn last);
  // From time to time, at least once a second. `cpu_us`: that the lane has used up to now. True
  // when a second ended.
  bool Tick(uint64_t cpu_us);

  // The map is another one: see Former. Turns that wait are not timed, and hot keys counted anew.
  // Requires: no command waits.
  void Adopt(std::span<const Former> former);
  // What another lane knows of a shard that comes from there.
  void Take(size_t shard, const LaneHeat& from);

  ShardHeat Of(size_t shard) const;
  const Windows& windows(size_t shard) const { return shards_[shard].windows; }
  // To be held by what waits in the shard.
  const std::shared_ptr<Queue>& queue(size_t shard) const { return shards_[shard].queue; }
  // The samples of the second that ended last, which together weigh as much as it had writes. Once.
  std::vector<Sample> TakeSamples() { return std::move(ended_); }
  std::vector<HotKey> Hottest(size_t most) const { return keys_.Top(most, now_us_); }

 private:
  struct Shard {
    uint64_t writes = 0, reads = 0, bytes = 0;  // since the last second ended
    Windows windows;
    std::array<Latencies, 3> latencies{Latencies(5), Latencies(60), Latencies(600)};
    std::shared_ptr<Queue> queue = std::make_shared<Queue>();
  };
  struct Taken {
    model::KeyspaceId keyspace;
    double weight;
    size_t at, token_size, key_size;  // token and key in sample_bytes_
  };
  struct Turn {
    uint64_t began_us = 0;
    model::Lsn last;
    std::vector<size_t> shards;  // of the sampled writes
  };

  void TakeSample(model::KeyspaceId keyspace, size_t shard, std::string_view token,
                  std::string_view key);
  void EndSamples(double writes);
  void EndSeconds(uint64_t seconds, double elapsed_s, double cpu_us);

  std::vector<Shard> shards_;
  HotKeys keys_;
  Prng prng_;
  uint64_t every_ = 1;         // writes for each sample
  uint64_t until_sample_ = 1;  // writes
  uint64_t now_us_ = 0;
  uint64_t second_began_us_ = 0, cpu_us_ = 0;
  Turn turn_;
  std::deque<Turn> waiting_;
  // Of the second that runs, in one piece, so that a sample allocates nothing; of the last one.
  std::vector<Taken> samples_;
  std::string sample_bytes_;
  std::vector<Sample> ended_;
};

}  // namespace sluice::heat
