// LimitGate: asks the limits of keyspaces for the commands of one lane's connections, and puts the
// answer into words.
//
// A limit is asked where the connection is, before the command goes anywhere: it waits for nothing,
// and what it refuses costs no other lane anything. A write with a once token that it refuses goes
// on nevertheless, marked (shard::Once::refused): if the token is known, the write was applied, and
// its first reply is the only true answer. What it takes goes along too (shard::Once::charged), and
// is given back then: the write has been counted.
//
// Threads:  none; the lane's own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admit/limits.h"
#include "model/keyspace.h"

namespace sluice::ingest {

// Whose command it is, and when it came.
struct Asker {
  std::string_view user;  // empty: one without a password; the address counts
  std::string_view peer;  // "10.0.0.7:5123"
  uint64_t now_us = 0;    // monotonic
};

class LimitGate {
 public:
  // What a command writes: one key after the other, then Pass.
  void Add(const model::Keyspace& keyspace, std::string_view key) {
    keys_.push_back({&keyspace, key, 0});
  }
  // False: it must not run. A command that writes no limited key passes. `once`: it has a token.
  bool Pass(admit::Limits& limits, const Asker& asker, bool once);

  // Of the last Pass; valid until the next: why not, as an error without the dash; what a limit
  // that only observes says, as words "reason=…"; empty: nothing. What a write with a token took.
  std::string_view refusal() const { return refusal_; }
  std::string_view observed() const { return observed_; }
  std::span<const admit::Charge> charges() const { return charges_; }

 private:
  struct Key {
    const model::Keyspace* keyspace;
    std::string_view key;
    size_t segment;  // index of the one that is limited, if one is
  };

  std::string ScopeOf(const admit::Denial& denial) const;

  std::vector<Key> keys_;
  std::vector<admit::Write> writes_;
  std::string client_;
  std::string refusal_, observed_;
  std::vector<admit::Charge> charges_;
};

}  // namespace sluice::ingest
