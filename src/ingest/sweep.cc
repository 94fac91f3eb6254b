#include "ingest/sweep.h"

#include <algorithm>
#include <utility>

#include "ingest/lane.h"
#include "model/stored_key.h"

namespace sluice::ingest {

// What one reading of the index found.
struct Sweeper::Reading {
  struct Due {
    std::string index_key, value_key, row;
  };
  size_t first_keyspace = 0, limit = 0;
  uint64_t now_ms = 0, flushes = 0;
  std::vector<std::string> from;
  std::vector<Due> due;
  size_t looks = 0;
  bool full = false;     // more may be due
  bool skipped = false;  // a key was held
  bool dropped = false;  // what was left of it counts for nothing
  size_t at = 0;         // of due: ended so far

  void Read(store::Store& store, const route::Router& router, const Lane& lane);
  bool ReadKeyspace(store::Cursor& cursor, const model::Keyspace& keyspace,
                    const route::Router& router, const Lane& lane, std::string& position);
};

void Sweeper::Reading::Read(store::Store& store, const route::Router& router, const Lane& lane) {
  const auto cursor = store.NewCursor();
  const auto& keyspaces = router.keyspaces();
  for (size_t i = 0; i < keyspaces.size() && !full; ++i) {
    const size_t which = (first_keyspace + i) % keyspaces.size();
    full = !ReadKeyspace(*cursor, keyspaces[which], router, lane, from[which]);
    if (full) first_keyspace = (which + 1) % keyspaces.size();
  }
  for (Due& one : due) {
    const auto got = store.Get(one.value_key, store::Tier::kDisk, &one.row);
    if (!got.has_value() || *got != store::Answer::kFound) one.row.clear();
  }
}

// False when the reading is full before the keyspace's end.
bool Sweeper::Reading::ReadKeyspace(store::Cursor& cursor, const model::Keyspace& keyspace,
                                    const route::Router& router, const Lane& lane,
                                    std::string& position) {
  std::string prefix;
  model::KindPrefix(prefix, keyspace.id, model::Kind::kExpiry, {});
  for (cursor.Seek(position.empty() ? prefix : position);
       cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    model::StoredKeyParts parts;
    if (!model::SplitStoredKey(keyspace, cursor.key(), &parts) || parts.expire_at_ms > now_ms) {
      return true;
    }
    if (due.size() == limit || looks == limit * kIndexLooksPerKey) return false;
    ++looks;
    position.assign(cursor.key()).push_back('\0');
    const size_t shard = router.map().Find(keyspace.id, parts.token);
    if (router.map().shards()[shard].lane != lane.id()) continue;
    Due& one = due.emplace_back();
    one.index_key = cursor.key();
    model::ValueKey(one.value_key, keyspace.id, parts.token, parts.key);
  }
  return true;
}

void Sweeper::Tick() {
  SweepBuffers();
  if (++ticks_ % kIndexTicks == 0 && !reading_) ReadIndex();
}

void Sweeper::SweepBuffers() {
  if (buffers_again_ || lane_.Strained()) return;
  const bool more = lane_.shards().Sweep(
      kSweepMax,
      [this](model::KeyspaceId keyspace, std::string_view key) {
        return lane_.parking().Held(keyspace, key);
      },
      [this](std::string_view key) { return lane_.Locate(key); },
      [this](std::string_view key) { return PassOn(key); });
  if (!more) return;
  buffers_again_ = true;
  lane_.Later([this](Lane&) {
    buffers_again_ = false;
    SweepBuffers();
  });
}

// A once token of a shard that has left: its new lane has the row, and learns that it is due.
bool Sweeper::PassOn(std::string_view once_key) {
  const size_t shard = lane_.Locate(once_key).shard;
  if (lane_.Owns(shard)) return false;
  lane_.Call(lane_.OwnerOf(shard), [key = std::string(once_key), at = lane_.shards().now_ms()](
                                       Lane& there) { there.shards().FoundOnce(key, at, 0); });
  return true;
}

void Sweeper::ReadIndex() {
  reading_ = !lane_.Strained();
  if (!reading_) return;
  const auto router = lane_.node().router;
  // A run brings index rows of any time, and takes away those that were done.
  if (flushes_ != lane_.flushes() || from_.empty()) from_.assign(router->keyspaces().size(), {});
  flushes_ = lane_.flushes();
  auto reading = std::make_shared<Reading>();
  reading->first_keyspace = first_keyspace_;
  reading->limit = limit_;
  reading->now_ms = lane_.shards().now_ms();
  reading->flushes = flushes_;
  reading->from = from_;
  const Lane& lane = lane_;
  lane_.Offload(
      [reading, router, &lane](store::Store& store) { reading->Read(store, *router, lane); },
      [this, reading](Lane&) { EndSome(reading); });
}

void Sweeper::EndSome(const std::shared_ptr<Reading>& reading) {
  // A run that came in between may hold newer rows, and a lane that is behind takes no more.
  reading->dropped = reading->flushes != lane_.flushes() || lane_.Strained();
  if (reading->dropped) return Finish(*reading);
  const size_t end = std::min(reading->at + kSweepMax, reading->due.size());
  for (; reading->at < end; ++reading->at) {
    const Reading::Due& one = reading->due[reading->at];
    const shard::KeyPlace place = lane_.Locate(one.value_key);
    if (!lane_.Owns(place.shard)) continue;  // it moved; its new lane will find it
    if (lane_.parking().Held(place.keyspace, place.key)) {
      reading->skipped = true;
    } else {
      lane_.shards().SweepStored(place, one.index_key, one.row);
    }
  }
  if (reading->at == reading->due.size()) return Finish(*reading);
  lane_.Later([this, reading](Lane&) { EndSome(reading); });
}

void Sweeper::Finish(const Reading& reading) {
  reading_ = false;
  if (reading.dropped) return ReadIndex();
  from_ = reading.from;
  first_keyspace_ = reading.first_keyspace;
  skipped_ = skipped_ || reading.skipped;
  limit_ = reading.full ? std::min(2 * limit_, kIndexMost) : kSweepMax;
  if (reading.full) return ReadIndex();
  if (std::exchange(skipped_, false)) from_.clear();  // from the beginning again, in a while
}

}  // namespace sluice::ingest
