// Limits: how many writes keyspaces take, of all together, of each client, and for each value of a
// segment.
//
// A limit counts writes, not bytes: one for each key of a command that may write, whether or not it
// then changes anything. A command passes all limits of all its keyspaces, or takes from none.
//
// Owns:     the buckets; the memory of those by name (BucketTable) from the first such limit on.
// Threads:  Admit from any lane, without a lock; Change from one at a time.
// Failure:  none. With `observe` a limit lets pass what it would have refused, and counts it apart.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "admit/bucket.h"
#include "admit/bucket_table.h"
#include "admit/meters.h"
#include "model/keyspace.h"

namespace sluice::admit {

// One key that a command writes.
struct Write {
  model::KeyspaceId keyspace;
  std::string_view segment;  // the value that SegmentOf names; empty when it names none
};

// A limit that a command does not pass.
struct Denial {
  Limit limit;
  size_t write = 0;      // the first of its writes that the limit speaks of
  uint64_t writes = 0;   // of the command, in that limit
  uint64_t burst = 0;    // more of them than this: it can never pass; 0: it can,
  uint64_t wait_ms = 0;  // after this
};

struct Verdict {
  std::optional<Denial> refused;   // it must not run
  std::optional<Denial> observed;  // the first that would have refused
};

class Limits {
 public:
  // Limits by keyspace id; no other keyspace will ever have one. `seed` makes the places of names
  // in the table unknown to clients.
  Limits(const std::vector<model::WriteLimits>& limits, uint64_t seed);

  // Replaces all of them. What has been taken stays taken. At the moment of a change a write may
  // pass the limit that changes.
  void Change(const std::vector<model::WriteLimits>& limits);

  // The index of the segment that has a limit for each value.
  std::optional<size_t> SegmentOf(model::KeyspaceId keyspace) const;

  // `client`: whose writes they are; equal texts share what one client has. `charges`: takes what
  // was taken, for a Refund; null: there will be none.
  Verdict Admit(std::span<const Write> writes, std::string_view client, uint64_t now_us,
                std::vector<Charge>* charges = nullptr);

  size_t keyspaces() const { return count_; }
  Meters& meters(model::KeyspaceId keyspace) { return cells_[keyspace.value].meters; }
  // Buckets that the table had no room for.
  uint64_t forgotten() const;

 private:
  static constexpr size_t kLimits = 3;
  static constexpr uint16_t kNoSegment = UINT16_MAX;

  // What a command asks of one bucket.
  struct Demand {
    Limit limit;
    model::KeyspaceId keyspace;
    uint64_t name = 0;  // of the bucket
    size_t write = 0;
    uint64_t writes = 1;
    Pace pace = {};
    bool observe = false;
    FullAt* taken = nullptr;
    uint64_t from = 0;  // see Charge
  };
  struct alignas(64) Cell {
    FullAt all{0};
    std::array<LivePace, kLimits> paces;  // by Limit
    std::atomic<uint16_t> segment{kNoSegment};
    std::atomic<bool> observe{false};
    Meters meters;
  };

  template <class Demands>
  void Collect(const Write& write, size_t index, std::string_view client, Demands& to) const;
  Verdict Settle(std::span<Demand> demands, uint64_t now, std::vector<Charge>* charges);
  void Deny(const Demand& demand, uint64_t burst, uint64_t wait_ms, std::span<Demand> demands,
            Verdict& verdict);
  FullAt& BucketOf(const Demand& demand, uint64_t now);
  uint64_t NameOf(const Demand& demand, std::string_view value) const;

  const size_t count_;
  const uint64_t seed_;
  std::unique_ptr<Cell[]> cells_;
  std::unique_ptr<BucketTable> owned_table_;
  std::atomic<BucketTable*> table_{nullptr};  // null until some limit needs it
};

}  // namespace sluice::admit
