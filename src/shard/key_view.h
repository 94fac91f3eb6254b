// KeyView: what a command handler sees of the one key it was called for, and where its effects go.
//
// It remembers the latest turn of everything it looked at: the reply waits for that turn (a nil or
// an error reveals state as much as a value does).
//
// Threads:  none; the lane's own. One KeyView serves one command after another.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "command/command.h"
#include "model/ids.h"
#include "shard/applier.h"
#include "shard/batch.h"
#include "shard/fetch.h"
#include "store/state.h"

namespace sluice::shard {

// One key and where it lives.
struct KeyPlace {
  model::KeyspaceId keyspace;
  model::Policy policy;
  std::string_view token, key;
  size_t shard = 0;  // index into the map
  std::string_view shard_begin, shard_end;
  store::HashedKey value_key = {};  // where its value is stored; empty: to be made
  // Where else numbers of its producers may lie: ShardMap::FormerBegins.
  std::span<const std::string> former_begins = {};
};

class KeyView final : public command::View {
 public:
  // Effects that fold go to `batch` at once.
  KeyView(store::State& state, Applier& applier, TurnBatch& batch, model::LogTime& clock,
          uint64_t seed)
      : state_(state), applier_(applier), batch_(batch), clock_(clock), random_(seed) {}

  // Turns to a new key. `fetch` holds rows that were read for it, or is null.
  void Begin(const KeyPlace& place, model::Turn turn, uint64_t now_ms, Fetch* fetch);
  // The command's one effect may become a part of a record that an earlier command began.
  void MayFold() { may_fold_ = true; }

  Have FindRow(std::string_view key, model::RowView* row) override;
  Have FindField(std::string_view key, const model::RowView& row, std::string_view field,
                 std::string_view* value) override;
  Have AllFields(std::string_view key, const model::RowView& row,
                 std::vector<model::Field>* fields) override;
  void Emit(const model::Effect& effect) override;
  model::Generation NewGeneration() override;
  uint64_t now_ms() const override { return now_ms_; }
  const model::Policy& policy() const override { return place_.policy; }
  uint64_t Random() override { return random_(); }

  // A row that is not the key's own: once tokens and producers.
  Have FindOther(std::string_view stored_key, std::string_view* row);

  model::Turn wait() const { return wait_; }  // the latest turn looked at or written
  // What it wrote is in an earlier command's record; else it is in effects().
  bool folded() const { return folded_; }
  std::string_view effects() const { return effects_; }  // encoded, in order
  uint32_t key_hash() const { return value_key_.hash; }  // once it wrote
  // A read failed: the command's reply and effects count for nothing.
  const std::optional<Error>& error() const { return error_; }
  // Whether the key was there; nothing: nobody asked.
  std::optional<bool> met() const { return met_; }
  // What was cold, to be fetched before the command runs again.
  Fetch TakeMissing();

 private:
  void Log(const model::Effect& effect);
  void MakeValueKey();
  Have Look(const store::HashedKey& stored_key, std::string* scratch, std::string_view* row);

  store::State& state_;
  Applier& applier_;
  TurnBatch& batch_;
  model::LogTime& clock_;
  Prng random_;
  KeyPlace place_;
  model::Turn turn_, wait_;
  uint64_t now_ms_ = 0;
  Fetch* fetch_ = nullptr;
  Fetch missing_;
  size_t missing_bytes_ = 0;  // of the rows it names
  std::optional<Error> error_;
  std::optional<bool> met_;
  bool may_fold_ = false, folded_ = false;
  std::string effects_;
  bool row_known_ = false;  // row_ is the key's current row
  KnownRow row_;
  store::HashedKey value_key_;
  std::string value_key_bytes_, other_key_, row_scratch_, field_scratch_, other_scratch_;
  std::deque<std::string> field_values_;  // large hash fields found in the store, kept for the call
};

}  // namespace sluice::shard
