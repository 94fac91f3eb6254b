// Applier: carries one effect over into the rows of the state. The same code serves a write that
// just happened and the replay of the log, so both end in the same rows.
//
// Threads:  none; the lane's own (recovery: before the lanes run).
// Failure:  kIo, kCorrupt from reading a row that the effect builds on; the state is unchanged.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "model/effect.h"
#include "model/row.h"
#include "store/expiry_queue.h"
#include "store/state.h"

namespace sluice::shard {

// Where an effect's key lives, and when it happened.
struct At {
  std::string_view token;
  std::string_view shard_begin, shard_end;  // the shard's range of tokens, as in the map
  model::Turn turn;
  uint64_t now_ms;                  // log time: what expired before it is not built upon
  store::HashedKey value_key = {};  // of the effect's key; empty: to be made
};

// The value row that the caller already has at hand; an absent row is exists = false.
struct KnownRow {
  bool exists = false;
  std::string_view bytes;
};

class Applier {
 public:
  // `expiries` learns of rows that will expire; `once` of once tokens that will be forgotten.
  Applier(store::State& state, store::ExpiryQueue& expiries, store::ExpiryQueue& once)
      : state_(state), expiries_(expiries), once_(once) {}

  // `known` may be null: then a row that is needed is looked up, on disk if it must be.
  Status Apply(const model::Effect& effect, const At& at, const KnownRow* known = nullptr);

 private:
  struct Base {           // the row an effect builds on
    bool exists = false;  // and has not expired
    model::RowView row;
  };
  Result<Base> Current(const At& at, const KnownRow* known);
  void NoteExpiry(uint64_t expire_at_ms) {
    if (expire_at_ms != 0 || expiries_.size() != 0) expiries_.Add(expire_at_ms, key_.bytes);
  }
  void PutString(uint64_t expire_at_ms, std::string_view value, const At& at);
  char* PutBody(uint64_t expire_at_ms, std::string_view begin, size_t size, const At& at);
  Status Patch(const model::Effect& effect, const At& at, const KnownRow* known);
  Status ExpireAt(const model::Effect& effect, const At& at, const KnownRow* known);
  Status PutFields(const model::Effect& effect, const At& at, const KnownRow* known);
  Status DeleteFields(const model::Effect& effect, const At& at, const KnownRow* known);
  void PutHead(const model::Effect& effect, model::RowType type, std::string_view fields,
               const At& at);
  void PutFieldRow(const model::Effect& effect, std::string_view field, std::string_view value,
                   const At& at);
  void PutOnce(const model::Effect& effect, const At& at);
  void ClearShard(const model::Effect& effect, const At& at);

  store::State& state_;
  store::ExpiryQueue& expiries_;
  store::ExpiryQueue& once_;
  store::HashedKey key_;  // of the value row
  std::string key_bytes_;
  std::string scratch_;  // a row read from the store
  std::string row_, fields_, field_key_;
};

}  // namespace sluice::shard
