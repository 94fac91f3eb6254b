// Decide: what the balancer would do about the load as it is now, and why.
//
//   misplaced  a shard of a region moves to an owner with the region's tag;
//   hot        a shard at `split_at` of its keyspace's capacity is split where its load halves;
//   uneven     an owner that has much while another naps gives a shard away, or has one split that
//              is too large to be given;
//   cold       neighbours that have next to nothing are merged, after one moved to the other.
//
// Nothing is proposed that does not pay: after a move the taker has less than the giver had, by a
// margin, a split leaves neither part with nearly all, and merged shards stay far below what would
// split them. So a load that holds still leads to a state that is left alone. A shard that changed
// has the cooldown before it changes again; where a shard or an owner melts, it only has to have
// settled. An owner takes part in one move at a time, and in none while a shard of its settles,
// unless it melts.
//
// What no split can cure is said in a warning, with what would: one key, from which a split can
// only take the rest away, and keys that grow with time.
//
// Threads:  any; a pure function: the same survey and settings, the same decision.
// Bounds:   proposals at most Settings::jobs, less those under way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rebalance/survey.h"

namespace sluice::rebalance {

enum class Mode : uint8_t {
  kOff,      // nothing is proposed; warnings are still given
  kPreview,  // proposals are told, none starts
  kOn,
};

// A time of day, UTC, in minutes since midnight: [from, to), over midnight when from > to.
struct Window {
  uint32_t from = 0, to = 0;
};

struct Settings {
  Mode mode = Mode::kPreview;
  uint64_t cooldown_us = 300'000'000;  // at least kSettleUs
  std::optional<Window> window = {};   // in which proposals may start; none: always
  size_t jobs = 1;                     // at once
};

// For so long after a change its rates say little.
inline constexpr uint64_t kSettleUs = 60'000'000;

enum class Kind : uint8_t { kSplit, kMerge, kMove };
std::string_view NameOf(Kind kind);  // "split"

struct Proposal {
  Kind kind;
  model::ShardId shard;
  model::ShardId with = {};  // of a merge: its upper neighbour
  std::string token = {};    // of a split: the first of the upper part
  size_t to = 0;             // of a move: index into Survey::owners
  std::string reason;        // what is wrong, with figures
  std::string effect;        // what will be better, with figures
};

enum class Trouble : uint8_t {
  kHotKey,   // one key makes up most of a hot shard's load
  kTail,     // a hot shard's keys grow with time
  kSkew,     // one shard is above its capacity while the mean looks safe
  kNoOwner,  // no owner has the tag of a shard's region
  kFull,     // all owners together have too little left
};
std::string_view NameOf(Trouble trouble);  // "hot_key"

struct Warning {
  Trouble trouble;
  model::ShardId shard = {};  // that it is about, if it is about one
  std::string text;           // what, with figures, and what would help
  bool over = false;          // of a key: it has more than a shard carries, and not only most of it
};

struct Decision {
  std::vector<Proposal> proposals;  // the most urgent first
  std::vector<Warning> warnings;
  bool start = false;     // they may begin now;
  std::string held = {};  // else why not: "preview", "window 02:00-05:00"
};

Decision Decide(const Survey& survey, const Settings& settings);

}  // namespace sluice::rebalance
