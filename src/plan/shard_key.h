// Shard keys: what is good and bad about sharding by some columns, judged from figures.
//
// A good key has many values, none of which is a large part of the writes; it never changes in the
// life of a record; its order is not the order of time, unless it is hashed; and what is written
// together has one value of it.
//
// Threads:  any; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/columns.h"

namespace sluice::plan {

// How rows fall on the shards of one map.
struct Spread {
  uint32_t shards = 0;
  uint64_t rows = 0;          // that fell on them; 0: unknown
  double busiest_share = 0;   // of all rows
  double skew = 0;            // the busiest shard's rows over those of a mean one
  double skew_at_a_time = 0;  // the same among rows that came together, a mean over the sample
  uint32_t idle = 0;          // shards without a row
};

// What a column's order has to do with the order in which rows came.
struct Order {
  double correlation = 0;  // of ranks: 1 when rows came in the column's order
  double beyond = 0;       // share of the later half that lies above all of the earlier half
};

struct KeyFacts {
  std::vector<std::string> columns;
  std::vector<std::string> segments;  // their names in a template; empty: those of the columns
  ColumnFact fact;  // of a key of several columns: of their values together, from the sample
  Order order;
  Spread hash, range;
  // Of writes to a record that was written before, how many had another value of this.
  std::optional<double> changes;
  std::string record;  // the column that tells records apart
  // Of rows that are written together, how many share it.
  std::optional<double> together;
  std::string together_by;
};

enum class Severity : uint8_t { kNote, kFair, kBad };
enum class Grade : uint8_t { kGood, kFair, kBad };

// "note", "fair", "bad"; "good", "fair", "bad".
std::string_view NameOf(Severity severity);
std::string_view NameOf(Grade grade);

struct Finding {
  Severity severity;
  std::string code;  // few_values, skewed, time, changes, …: one word for programs
  std::string text;
};

struct Verdict {
  Grade grade = Grade::kGood;
  double score = 0;   // 0 to 100; what comes first has the greater
  std::string shard;  // "hash(a, b)"
  // How many shards its values can keep busy: beyond, the busiest value alone is more than a
  // shard's share. Infinite when no value stands out.
  double reach = 0;
  std::vector<Finding> findings;
};

Verdict Judge(const KeyFacts& facts);

// The skew that chance gives a map at the most, though all of its shards are alike: of a hundred
// such maps, the busiest shard of one has more. 1 when nothing is known of the rows.
double ChanceSkew(uint64_t rows, uint32_t shards);

// The columns' names as the segments of a template can have them: what is no letter, digit or _ is
// one, none begins with a digit, and no two are the same.
std::vector<std::string> SegmentNames(const std::vector<std::string>& columns);

// 578805 as "578,805"; shares as "2.5 %", small ones with more digits.
std::string Thousands(double number);
std::string Percent(double share);

}  // namespace sluice::plan
