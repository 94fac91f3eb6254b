// The numbers that name things. Each is a type of its own, so that none is passed for another.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace sluice::model {

template <class Tag, class Rep>
struct Id {
  using rep = Rep;
  Rep value = 0;

  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}
  constexpr auto operator<=>(const Id&) const = default;
  constexpr Id Next() const { return Id(static_cast<Rep>(value + 1)); }
};

using Lsn = Id<struct LsnTag, uint64_t>;          // a record's place in one node's log; first is 1
using LogId = Id<struct LogIdTag, uint64_t>;      // one log, for its life; drawn at random
using Term = Id<struct TermTag, uint32_t>;        // a node's turn as writer of its log
using ShardId = Id<struct ShardIdTag, uint32_t>;  // a shard of this node's map; never used again
using Epoch = Id<struct EpochTag, uint32_t>;      // version of the map, or of one shard's owner
using Lineage = Id<struct LineageTag, uint64_t>;  // a shard's identity through moves
using ShardSeq = Id<struct ShardSeqTag, uint64_t>;  // a record's number within its lineage; from 1
using KeyspaceId = Id<struct KeyspaceTag, uint16_t>;  // 0 is `default`; never used again
using LaneId = Id<struct LaneTag, uint16_t>;
using Generation = Id<struct GenerationTag, uint64_t>;  // a collection's life; grows per key

// A lane's count of its handovers to the log. Entries of the write buffer carry the turn that wrote
// them; the lane knows which LSN each turn ended at. Turn 0 is durable by definition.
using Turn = Id<struct TurnTag, uint64_t>;

// Hybrid logical time: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
// The only order between logs, and the clock of expiry and history. Never steps back in one lane.
struct LogTime {
  uint64_t value = 0;

  constexpr auto operator<=>(const LogTime&) const = default;
  constexpr uint64_t ms() const { return value >> 16; }
  static constexpr LogTime OfMs(uint64_t ms) { return LogTime{ms << 16}; }
  // The time to use now: the wall clock if it moved on, else one tick after this.
  constexpr LogTime After(uint64_t wall_ms) const {
    return wall_ms > ms() ? OfMs(wall_ms) : LogTime{value + 1};
  }
};

}  // namespace sluice::model

template <class Tag, class Rep>
struct std::hash<sluice::model::Id<Tag, Rep>> {
  size_t operator()(const sluice::model::Id<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
