// FakeView: a View over a map, for tests. It applies effects itself, as bytes, and can play cold.
//
// What it hands out is destroyed by the first Emit, as the contract allows. An expired key's row
// stays where it is, as in a store that was not swept: a handler that builds on it is found out.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "command/command.h"

namespace sluice::command {

struct FakeRow {
  bool is_hash = false;
  std::string value;
  std::map<std::string, std::string> fields;
  uint64_t expire_at_ms = 0;
  model::Generation generation;

  bool operator==(const FakeRow&) const = default;
};

using FakeRows = std::map<std::string, FakeRow>;

// Applies one encoded effect, as an applier would: the row's own bytes decide, not the clock.
void ApplyEffect(FakeRows& rows, std::string_view encoded);

class FakeView final : public View {
 public:
  Have FindRow(std::string_view key, model::RowView* row) override;
  Have FindField(std::string_view key, const model::RowView& row, std::string_view field,
                 std::string_view* value) override;
  Have AllFields(std::string_view key, const model::RowView& row,
                 std::vector<model::Field>* fields) override;
  void Emit(const model::Effect& effect) override;
  model::Generation NewGeneration() override { return last_generation = last_generation.Next(); }
  uint64_t now_ms() const override { return now; }
  const model::Policy& policy() const override { return rules; }
  uint64_t Random() override { return random(); }

  const FakeRow* Find(std::string_view key) const;  // unless it expired

  FakeRows rows;
  model::Policy rules;
  uint64_t now = 1'700'000'000'000;
  model::Generation last_generation{1000};
  Prng random{7};
  std::vector<std::string> effects;  // encoded, in order
  std::vector<std::string> reads;    // what was looked at since ForgetReads(), each once
  std::set<size_t> cold;             // which of these were cold when they were looked at first

  void ForgetReads();

 private:
  bool IsCold(std::string what);
  std::string_view HandOut(std::string bytes);

  std::deque<std::string> handed_out_;
};

// Runs a command as a shard would, again after each cold read, and returns the bytes of its reply.
// A call that was refused before it ran is answered too.
std::string Execute(FakeView& view, const std::vector<std::string>& command,
                    resp::Version version = resp::Version::k2);

// The same with the command's words between blanks, and the reply in a form to read:
// OK :1 'bulk' nil [a b] {k v} !ERR text.
std::string Say(FakeView& view, std::string_view words, resp::Version version = resp::Version::k2);
std::vector<std::string> Words(std::string_view line);
std::string Readable(std::string_view reply);

}  // namespace sluice::command
