// What every Store promises, proven on each of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "store/memory_store.h"
#include "store/rocks_store.h"
#include "store/run_rows.h"
#include "store/temp_dir_test.h"

namespace sluice::store {
namespace {

using model::Generation;
using model::KeyspaceId;
using model::Turn;

enum class Kind { kMemory, kRocks };

// A store that can be closed and opened again over what it has kept.
class Place {
 public:
  explicit Place(Kind kind) : kind_(kind) { Reopen(); }

  Store& store() { return *store_; }
  void Reopen() {
    store_.reset();
    if (kind_ == Kind::kMemory) {
      auto opened = MemoryStore::Open(medium_, {});
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      store_ = std::move(*opened);
    } else {
      RocksStore::Options options;
      options.block_cache_bytes = 8 << 20;
      options.level0_files_compact = 3;  // so that compactions happen between the runs of a test
      options.key_filter_bytes = 4096;
      auto opened = RocksStore::Open(dir_.path() + "/store", options);
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      ASSERT_TRUE((*opened)->LearnKeys().has_value());
      store_ = std::move(*opened);
    }
  }

 private:
  const Kind kind_;
  TempDir dir_;
  std::shared_ptr<MemoryStore::Medium> medium_ = std::make_shared<MemoryStore::Medium>();
  std::unique_ptr<Store> store_;
};

std::string StringRow(std::string_view value, uint64_t expire_at_ms) {
  std::string row(model::StringHeadSize(expire_at_ms), 0);
  model::StoreStringHead(row.data(), expire_at_ms);
  return row.append(value);
}

// What the store must hold, kept by a map and the plainest code.
class Expected {
 public:
  using Rows = std::map<std::string, std::string>;

  void Put(const std::string& key, const std::string& row) {
    rows_[key] = row;
    written_.insert(key);
  }
  void Delete(const std::string& key) {
    rows_.erase(key);
    written_.erase(key);
  }
  void Clear(const std::string& begin, const std::string& end) {
    if (begin >= end) return;
    rows_.erase(rows_.lower_bound(begin), rows_.lower_bound(end));
    written_.erase(written_.lower_bound(begin), written_.lower_bound(end));
  }
  // The run is over: what it wrote and still holds gets its index rows.
  void EndRun(const std::vector<Position>& positions) {
    for (const std::string& key : written_) {
      if (model::KindOf(key) != model::Kind::kValue) continue;
      model::RowView row;
      ASSERT_TRUE(model::DecodeRow(rows_[key], &row));
      if (row.expire_at_ms == 0) continue;
      std::string index(key.substr(0, 2) + "x");
      AppendBe64(index, row.expire_at_ms);
      rows_[index + key.substr(3)] = "";
    }
    written_.clear();
    for (const Position& position : positions) {
      std::string key("\xff\xffP"), row;
      AppendBe64(key, position.lineage.value);
      AppendLe(row, position.seq.value);
      AppendLe(row, position.lsn.value);
      rows_[key] = row;
      positions_[position.lineage] = position;
    }
    rows_["\xff\xffV"] = std::string("\x01\0\0\0", 4);
  }

  const Rows& rows() const { return rows_; }
  const std::map<model::Lineage, Position>& positions() const { return positions_; }

 private:
  Rows rows_;
  std::set<std::string> written_;
  std::map<model::Lineage, Position> positions_;
};

// Draws writes from a small space, so that they meet each other.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  std::string Key() {
    const KeyspaceId keyspace(static_cast<uint16_t>(random_.Below(2)));
    const std::string name = "k" + std::to_string(random_.Below(24));
    std::string key;
    switch (random_.Below(6)) {
      case 0:
        model::FieldPrefix(key, keyspace, Token(name), name, Generation(random_.Below(3)));
        return key + "f" + std::to_string(random_.Below(4));
      case 1:
        model::ExpiryKey(key, keyspace, 1 + random_.Below(9), Token(name), name);
        return key;
      case 2:
        model::OnceKey(key, keyspace, Token(name), name, "u", "t");
        return key;
      default:
        model::ValueKey(key, keyspace, Token(name), name);
        return key;
    }
  }

  // One random run, applied to `expected` as well.
  Run Draw(Expected* expected) {
    auto buffer = std::make_shared<Buffer>();
    for (uint64_t n = random_.Below(40); n > 0; --n) {
      const std::string key = Key();
      const bool index = model::KindOf(key) == model::Kind::kExpiry;
      if (random_.OneIn(8)) {
        std::string begin = Key(), end = Key();
        buffer->ClearRange(begin, end, Turn(1));
        expected->Clear(begin, end);
      } else if (index || random_.OneIn(3)) {  // index rows are derived, and deleted by the sweeper
        buffer->Delete(key, Turn(1));
        expected->Delete(key);
      } else {
        const bool value = model::KindOf(key) == model::Kind::kValue;
        const uint64_t expire = value && random_.OneIn(2) ? 1 + random_.Below(9) : 0;
        const std::string bytes(random_.Below(60), static_cast<char>(random_()));
        const std::string row = value ? StringRow(bytes, expire) : bytes;
        buffer->Put(key, row, Turn(1));
        expected->Put(key, row);
      }
    }
    std::vector<Position> positions;
    for (uint64_t n = random_.Below(3); n > 0; --n) {
      ++lsn_;
      positions.push_back(
          {model::Lineage(n + random_.Below(3) * 2), model::ShardSeq(lsn_ * 2), model::Lsn(lsn_)});
    }
    expected->EndRun(positions);
    return {random_.OneIn(20) && buffer->empty() ? nullptr : buffer, positions};
  }
  uint64_t Below(uint64_t bound) { return random_.Below(bound); }

 private:
  static std::string Token(const std::string& name) {
    std::string token;
    AppendBe64(token, std::hash<std::string>{}(name));
    return token;
  }

  Prng random_;
  uint64_t lsn_ = 0;
};

Expected::Rows Forward(Cursor& cursor) {
  Expected::Rows rows;
  for (cursor.Seek(""); cursor.Valid(); cursor.Next()) {
    const bool added = rows.emplace(cursor.key(), cursor.row()).second;
    EXPECT_TRUE(added) << "a key twice";
  }
  EXPECT_TRUE(cursor.status().ok());
  return rows;
}

Expected::Rows Backward(Cursor& cursor) {
  Expected::Rows rows;
  for (cursor.SeekBefore("\xff\xff\xff"); cursor.Valid(); cursor.Prev()) {
    rows.emplace(cursor.key(), cursor.row());
  }
  EXPECT_TRUE(cursor.status().ok());
  return rows;
}

// Asks for several keys together, with a bound that some rows are past.
void ExpectSameTogether(Store& store, const Expected& expected, Writer& writer) {
  std::vector<std::string> keys(1 + writer.Below(Store::kManyMax));
  std::vector<Store::Lookup> lookups(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    keys[i] = writer.Key();
    lookups[i].key = keys[i];
  }
  const size_t bytes_max = writer.Below(200);
  const auto cold = [&] {
    return std::ranges::count(lookups, Answer::kCold, &Store::Lookup::answer);
  };
  for (auto left = cold(); left > 0;) {
    ASSERT_TRUE(store.GetMany(lookups, bytes_max).ok());
    ASSERT_LT(cold(), left);
    left = cold();
  }
  for (const Store::Lookup& lookup : lookups) {
    const auto at = expected.rows().find(std::string(lookup.key));
    const bool found = at != expected.rows().end();
    ASSERT_EQ(lookup.answer, found ? Answer::kFound : Answer::kMissing);
    ASSERT_EQ(lookup.row, found ? at->second : "");
    ASSERT_TRUE(!found || store.MayHold(HashedKey::HashOf(lookup.key)));
  }
}

void ExpectSame(Store& store, const Expected& expected, Writer& writer) {
  auto cursor = store.NewCursor();
  ASSERT_EQ(Forward(*cursor), expected.rows());
  ASSERT_EQ(Backward(*cursor), expected.rows());
  for (int i = 0; i < 20; ++i) {
    const std::string key = writer.Key();
    const auto at = expected.rows().find(key);
    std::string row;
    const auto answer = store.Get(key, Tier::kDisk, &row);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    ASSERT_EQ(*answer, at == expected.rows().end() ? Answer::kMissing : Answer::kFound);
    if (*answer == Answer::kFound) {
      ASSERT_EQ(row, at->second);
    }
    const auto quick = store.Get(key, Tier::kMemory, &row);
    ASSERT_TRUE(quick.has_value());
    if (*quick != Answer::kCold) {
      ASSERT_EQ(*quick, *answer);
    }
    if (*quick == Answer::kFound) {
      ASSERT_EQ(row, at->second);
    }
  }
  ExpectSameTogether(store, expected, writer);
  auto positions = store.Positions();
  ASSERT_TRUE(positions.has_value());
  ASSERT_EQ(positions->size(), expected.positions().size());
  for (const Position& position : *positions) {
    const Position& other = expected.positions().at(position.lineage);
    ASSERT_EQ(position.seq, other.seq);
    ASSERT_EQ(position.lsn, other.lsn);
  }
  std::string begin = writer.Key(), end = writer.Key();
  if (begin > end) std::swap(begin, end);
  const auto& rows = expected.rows();
  const auto between = std::distance(rows.lower_bound(begin), rows.lower_bound(end));
  ASSERT_EQ(store.ApproximateKeys(begin, end), static_cast<uint64_t>(between));
}

class StoreConformance : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Stores, StoreConformance, testing::Values(Kind::kMemory, Kind::kRocks),
                         [](const auto& param_info) {
                           return param_info.param == Kind::kMemory ? "Memory" : "Rocks";
                         });

// Goal:   a store holds what its runs say, whatever they are, also after it was closed and opened.
// Method: random runs over a small space of keys (puts, deletions, cleared ranges, ends, positions)
//         against a map; everything is compared after each run, by cursor both ways and by Get.
TEST_P(StoreConformance, HoldsWhatItsRunsSay) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Place place(GetParam());
    Expected expected;
    Writer writer(seed);
    for (int i = 0; i < 40; ++i) {
      const auto applied = place.store().Apply(writer.Draw(&expected));
      ASSERT_TRUE(applied.ok()) << applied.error().message;
      if (writer.Below(8) == 0) place.Reopen();
      ExpectSame(place.store(), expected, writer);
      if (HasFatalFailure()) return;
    }
  }
}

// Goal:   a cursor sees what was applied before it was made, however long it lives.
// Method: cursors are taken between random runs and read only after many more of them.
TEST_P(StoreConformance, CursorKeepsItsMoment) {
  Place place(GetParam());
  Expected expected;
  Writer writer(7);
  std::vector<std::pair<std::unique_ptr<Cursor>, Expected::Rows>> moments;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(place.store().Apply(writer.Draw(&expected)).ok());
    if (i % 5 == 0) moments.emplace_back(place.store().NewCursor(), expected.rows());
    if (i % 9 == 8) moments.erase(moments.begin());
  }
  for (auto& [cursor, rows] : moments) {
    ASSERT_EQ(Forward(*cursor), rows);
    ASSERT_EQ(Backward(*cursor), rows);
  }
}

// Goal:   Seek finds the first key not less, SeekBefore the last key less, for keys in and between
//         those stored.
TEST_P(StoreConformance, SeeksToBothSides) {
  Place place(GetParam());
  Expected expected;
  Writer writer(8);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(place.store().Apply(writer.Draw(&expected)).ok());
  auto cursor = place.store().NewCursor();
  const Expected::Rows& rows = expected.rows();
  for (int i = 0; i < 300; ++i) {
    const std::string key = writer.Key();
    const auto at = rows.lower_bound(key);
    cursor->Seek(key);
    ASSERT_EQ(cursor->Valid(), at != rows.end());
    if (cursor->Valid()) {
      ASSERT_EQ(cursor->key(), at->first);
    }
    cursor->SeekBefore(key);
    ASSERT_EQ(cursor->Valid(), at != rows.begin());
    if (cursor->Valid()) {
      ASSERT_EQ(cursor->key(), std::prev(at)->first);
    }
  }
}

// Goal:   what a run clears and puts is put, whether the put came before in an older run or in the
//         same one; a deletion after the clear stays one.
// Method: the same key in every order of clear, put and delete within one run, over an older row.
TEST_P(StoreConformance, PutsOutliveTheClearOfTheirOwnRun) {
  std::string key, begin;
  model::ValueKey(key, KeyspaceId(0), "tokentok", "key");
  model::KindPrefix(begin, KeyspaceId(0), model::Kind::kValue, {});
  const std::string end = model::PrefixEnd(begin);
  for (const std::string_view order : {"cp", "pc", "cd", "pcp", "cpd", "pcdp", "c"}) {
    SCOPED_TRACE(order);
    Place place(GetParam());
    auto older = std::make_shared<Buffer>();
    older->Put(key, StringRow("old", 0), Turn(1));
    ASSERT_TRUE(place.store().Apply({older, {}}).ok());
    auto buffer = std::make_shared<Buffer>();
    for (const char step : order) {
      if (step == 'c') buffer->ClearRange(begin, end, Turn(1));
      if (step == 'p') buffer->Put(key, StringRow("new", 0), Turn(1));
      if (step == 'd') buffer->Delete(key, Turn(1));
    }
    ASSERT_TRUE(place.store().Apply({buffer, {}}).ok());
    for (int round = 0; round < 2; ++round) {
      std::string row;
      const auto answer = place.store().Get(key, Tier::kDisk, &row);
      ASSERT_TRUE(answer.has_value());
      ASSERT_EQ(*answer, order.back() == 'p' ? Answer::kFound : Answer::kMissing);
      if (*answer == Answer::kFound) {
        ASSERT_EQ(row, StringRow("new", 0));
      }
      if (auto* rocks = dynamic_cast<RocksStore*>(&place.store())) {
        ASSERT_TRUE(rocks->CompactAll().ok());
      }
    }
  }
}

// Goal:   a value whose row is damaged is refused as a whole run, and named.
TEST_P(StoreConformance, RefusesARunWithADamagedRow) {
  Place place(GetParam());
  std::string key, row;
  model::ValueKey(key, KeyspaceId(0), "tokentok", "key");
  auto buffer = std::make_shared<Buffer>();
  buffer->Put(key, "\x09garbage", Turn(1));
  const auto applied = place.store().Apply({buffer, {{model::Lineage(1), {}, model::Lsn(1)}}});
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().code, Code::kCorrupt);
  EXPECT_NE(applied.error().message.find("6b6579"), std::string::npos) << applied.error().message;
  EXPECT_EQ(*place.store().Get(key, Tier::kDisk, &row), Answer::kMissing);
  EXPECT_TRUE(place.store().Positions()->empty());
}

// Goal:   rows and positions of a run take effect together or not at all in a power cut, and a
//         full disk leaves everything as it was.
// Method: each fate in turn over the same medium; the state after is one of two.
TEST(MemoryStore, PowerCutsAreAllOrNothing) {
  using Fate = MemoryStore::Fate;
  std::string key, row;
  model::ValueKey(key, KeyspaceId(0), "tokentok", "key");
  for (const Fate fate :
       {Fate::kApplied, Fate::kNoSpace, Fate::kLostInCut, Fate::kAppliedBeforeCut}) {
    auto medium = std::make_shared<MemoryStore::Medium>();
    MemoryStore::Options options;
    options.fate = [&](const store::Run&) { return fate; };
    auto store = std::move(*MemoryStore::Open(medium, options));
    auto buffer = std::make_shared<Buffer>();
    buffer->Put(key, StringRow("v", 0), Turn(1));
    const store::Run run{buffer, {{model::Lineage(1), model::ShardSeq(2), model::Lsn(3)}}};
    EXPECT_EQ(store->Apply(run).ok(), fate == Fate::kApplied);
    const bool cut = fate == Fate::kLostInCut || fate == Fate::kAppliedBeforeCut;
    const auto again = store->Apply(run);
    if (cut) {
      EXPECT_EQ(again.error().code, Code::kIo);
    }

    store = std::move(*MemoryStore::Open(medium, {}));
    const bool there = fate == Fate::kApplied || fate == Fate::kAppliedBeforeCut;
    EXPECT_EQ(*store->Get(key, Tier::kDisk, &row), there ? Answer::kFound : Answer::kMissing);
    EXPECT_EQ(store->Positions()->size(), there ? 1u : 0u);
  }
}

// Goal:   only what the hook calls cold is cold, and only for the memory tier.
TEST(MemoryStore, ColdKeysNeedTheDisk) {
  MemoryStore::Options options;
  options.cold = [](std::string_view key) { return key.ends_with("1"); };
  auto store = std::move(*MemoryStore::Open(std::make_shared<MemoryStore::Medium>(), options));
  std::string row;
  EXPECT_EQ(*store->Get("key1", Tier::kMemory, &row), Answer::kCold);
  EXPECT_EQ(*store->Get("key1", Tier::kDisk, &row), Answer::kMissing);
  EXPECT_EQ(*store->Get("key2", Tier::kMemory, &row), Answer::kMissing);
}

// Goal:   what is not a store, or a later version's, is refused.
TEST(MemoryStore, RefusesWhatItDoesNotKnow) {
  auto medium = std::make_shared<MemoryStore::Medium>();
  (*medium->rows)["stray"] = "row";
  EXPECT_EQ(MemoryStore::Open(medium, {}).error().code, Code::kCorrupt);
  (*medium->rows)["\xff\xffV"] = std::string("\x02\0\0\0", 4);
  EXPECT_EQ(MemoryStore::Open(medium, {}).error().code, Code::kInvalid);
  (*medium->rows)["\xff\xffV"] = std::string("\x01\0\0\0", 4);
  EXPECT_TRUE(MemoryStore::Open(medium, {}).has_value());
}

}  // namespace
}  // namespace sluice::store
