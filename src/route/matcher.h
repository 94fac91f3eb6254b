// Matching: which template a key belongs to, and what its segments are.
//
// A segment ends where the literal behind it first occurs, holds at least one byte, and the last
// one holds no `:`.
//
// Threads:  any; immutable.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/key_template.h"
#include "model/keyspace.h"

namespace sluice::route {

// The segments of a key, as views into it.
using Segments = std::array<std::string_view, config::kSegmentsMax>;

// Whether the key matches; then segments [0, key.segments.size()) are its segments.
bool Match(const model::Template& key, std::string_view text, Segments* segments);

// Whether a key belongs to the keyspace by its template. For `default`, which has none, false: it
// takes what all others leave.
bool Matches(const model::Keyspace& keyspace, std::string_view key);

// Finds the template that a key matches among many. Borrows the keyspaces.
class TemplateIndex {
 public:
  explicit TemplateIndex(std::span<const model::Keyspace> keyspaces);

  // The index of the keyspace whose template matches, with the segments; -1 when none does.
  int Find(std::string_view key, Segments* segments) const;

 private:
  // One per template, by first literal. All literals that a key begins with are ancestors of the
  // greatest literal that is not greater than the key.
  struct Entry {
    std::string_view literal;
    const model::Template* key;
    int keyspace;
    int parent;  // the longest entry before it whose literal this one begins with; -1: none
  };
  std::vector<Entry> entries_;
};

}  // namespace sluice::route
