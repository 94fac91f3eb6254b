// Survey: what the balancer is told: shards with their heat, who owns them, what owners carry.
//
// Plain data, filled by whoever watches a node or simulates many. What is not known is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"

namespace sluice::rebalance {

inline constexpr double kSplitAtUsual = 0.66;

struct SurveyedRegion {
  std::string name;
  std::string tag;            // owners that may hold its shards; empty: any
  uint32_t shards_least = 1;  // never merged below
};

struct SurveyedKeyspace {
  model::KeyspaceId id;
  std::string name;
  double capacity = 0;                       // writes a second that one shard carries; 0: not said
  double split_at = kSplitAtUsual;           // share of it from which a shard is split
  uint32_t shards_least = 1;                 // never merged below; with regions each has its own
  std::vector<SurveyedRegion> regions = {};  // of a geo keyspace
};

// Who can own shards: a lane today, a node later.
struct SurveyedOwner {
  std::string name;
  std::vector<std::string> tags = {};
  double capacity = 0;  // writes a second that it carries; 0: not known, its load is told by cpu
};

struct Rates {
  double second = 0, minute = 0, ten_minutes = 0;  // writes a second
  double busiest_minute = 0;                       // of the ten
};

// Where a shard's load would be cut in two parts that are as even as can be.
struct LoadCut {
  std::string token;  // the first of the upper part; within (begin, end)
  double below = 0;   // share of the load that falls on the lower part
};

struct SurveyedHotKey {
  std::string key;
  double share = 0;  // of the shard's writes
};

struct SurveyedShard {
  model::ShardId id;
  model::KeyspaceId keyspace;
  std::string begin, end;  // tokens [begin, end); empty end: no upper bound
  std::string region = {};
  size_t owner = 0;  // index into Survey::owners
  // Its own, wherever it was: of one that changed lately, since then.
  Rates writes;
  // Share of its owner's time; known of all shards or of none. Where known it counts, not writes.
  std::optional<double> cpu = {};
  uint64_t bytes = 0;
  std::optional<LoadCut> cut = {};  // none: not known, or its load has but one place
  std::optional<SurveyedHotKey> hottest = {};
  // Share of its writes on tokens above all that it had seen a minute before: near 1 when keys grow
  // with time.
  double rising = 0;
  uint64_t changed_us = 0;  // when it was last split, merged or moved; 0: not since it is watched
  bool busy = false;        // a job works on it
  std::optional<size_t> moving_to = {};  // index into Survey::owners, while one moves it
};

// Requires: indexes are within owners, and each shard's keyspace and region are listed.
struct Survey {
  uint64_t now_us = 0;    // since 1970, UTC
  uint64_t since_us = 0;  // from when on loads are known: a node that has just begun knows none
  std::vector<SurveyedKeyspace> keyspaces;
  std::vector<SurveyedOwner> owners;
  std::vector<SurveyedShard> shards;  // by keyspace, then begin
  size_t jobs = 0;                    // under way, whoever began them
};

}  // namespace sluice::rebalance
