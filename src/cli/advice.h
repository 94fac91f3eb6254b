// Advice: from the columns of many rows to shard keys, best first, and what to write into the
// configuration.
//
//   Advise()      judges each column, composite keys where no single column will do, and simulates
//                 maps over the sample.
//   AdviceText()  for people. AdviceJson()  for programs.
//
// Threads:  any; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/advise_maps.h"
#include "plan/columns.h"
#include "plan/shard_key.h"

namespace sluice::cli {

struct AdviceOptions {
  uint32_t shards = 8;
  std::string record;    // the column that tells records apart; empty: found, where it can be
  std::string together;  // the column that tells which rows are one command; empty: unknown
};

struct AdvisedKey {
  plan::KeyFacts facts;
  plan::Verdict verdict;
  std::string name() const;  // "a" or "a, b"
};

// A map that is not of one of the keys alone.
struct AdvisedMap {
  std::string shard;  // "geo(a) then hash(b)"
  plan::Spread spread;
  std::string why;
};

struct Advice {
  std::string source;
  uint64_t rows = 0, sampled = 0;
  uint64_t bad_rows = 0;
  std::string first_bad;  // "line 7: …"
  uint32_t shards = 0;
  size_t columns_left_out = 0;   // of those that the rows have
  std::vector<AdvisedKey> keys;  // best first
  std::vector<AdvisedMap> maps;
};

// kInvalid: a column that the options name is not there, or not looked at.
Result<Advice> Advise(const std::vector<std::string>& names, const plan::Columns& columns,
                      const AdviceOptions& options);

// The text without what would do something to a terminal.
std::string Printable(std::string text);

std::string AdviceText(const Advice& advice);
std::string AdviceJson(const Advice& advice);

}  // namespace sluice::cli
