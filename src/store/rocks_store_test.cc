// What RocksStore promises beyond every Store: the disk, its faults, and what compaction drops.
#include "store/rocks_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/file_system.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "store/rocks_failing_files_test.h"
#include "store/temp_dir_test.h"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;
using model::Generation;
using model::KeyspaceId;
using model::Turn;

constexpr KeyspaceId kKeyspace{0};
constexpr std::string_view kToken = "tokentok";

const model::Keyspace& OneKeyspace() {
  static const model::Keyspace keyspace = [] {
    model::Keyspace made;
    made.token = {{model::TokenPartKind::kHash, {}}};
    return made;
  }();
  return keyspace;
}

RocksStore::Options Small() {
  RocksStore::Options options;
  options.block_cache_bytes = 4 << 20;
  options.keyspaces = [](KeyspaceId id) { return id == kKeyspace ? &OneKeyspace() : nullptr; };
  return options;
}

std::unique_ptr<RocksStore> Open(const std::string& dir, const RocksStore::Options& options) {
  auto opened = RocksStore::Open(dir, options);
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  return opened.has_value() ? std::move(*opened) : nullptr;
}

std::string ValueKey(const std::string& name) {
  std::string key;
  model::ValueKey(key, kKeyspace, kToken, name);
  return key;
}

std::string StringRow(std::string_view value) {
  std::string row(model::StringHeadSize(0), 0);
  model::StoreStringHead(row.data(), 0);
  return row.append(value);
}

std::string FieldKey(const std::string& name, uint64_t generation, const std::string& field) {
  std::string key;
  model::FieldPrefix(key, kKeyspace, kToken, name, Generation(generation));
  return key + field;
}

std::string HeadRow(model::RowType type, uint64_t generation) {
  std::string row;
  model::EncodeHash(row, type, 0, Generation(generation), 1, "");
  return row;
}

store::Run RunOf(const std::map<std::string, std::string>& rows, uint64_t lsn) {
  auto buffer = std::make_shared<Buffer>();
  for (const auto& [key, row] : rows) buffer->Put(key, row, Turn(1));
  return {buffer, {{model::Lineage(1), model::ShardSeq(lsn), model::Lsn(lsn)}}};
}

// `n` rows of about a hundred bytes that do not compress to nothing.
store::Run Bulk(uint64_t n, uint64_t lsn) {
  Prng random(lsn);
  auto buffer = std::make_shared<Buffer>();
  for (uint64_t i = 0; i < n; ++i) {
    std::string value;
    while (value.size() < 96) AppendLe(value, random());
    buffer->Put(ValueKey("key" + std::to_string(i)), StringRow(value), Turn(1));
  }
  return {buffer, {{model::Lineage(1), model::ShardSeq(lsn), model::Lsn(lsn)}}};
}

uint64_t LsnOf(RocksStore& store) {
  const auto positions = store.Positions();
  EXPECT_TRUE(positions.has_value());
  return positions->empty() ? 0 : positions->front().lsn.value;
}

// Goal:   the memory tier never reads from disk and never calls a stored row missing; a key that
//         is nowhere is missing, not cold, once filters are in memory.
// Method: open anew (nothing cached), ask in memory, then from disk, then in memory again. Empty
//         rows count as cold at most.
TEST(RocksStore, ColdIsOnlyWhatLiesOnDisk) {
  TempDir dir;
  EXPECT_TRUE(Open(dir.path() + "/s", Small())->Apply(Bulk(20000, 1)).ok());
  RocksStore::Options options = Small();
  options.open_files_max = 20;
  auto store = Open(dir.path() + "/s", options);
  std::string row;
  int cold = 0;
  for (int i = 0; i < 20000; i += 500) {
    const std::string key = ValueKey("key" + std::to_string(i));
    const Answer before = *store->Get(key, Tier::kMemory, &row);
    ASSERT_NE(before, Answer::kMissing);
    cold += before == Answer::kCold;
    ASSERT_EQ(*store->Get(key, Tier::kDisk, &row), Answer::kFound);
    ASSERT_EQ(*store->Get(key, Tier::kMemory, &row), Answer::kFound);
    ASSERT_EQ(row.size(), 98u);
  }
  EXPECT_GT(cold, 20);
  int missing = 0;
  for (int i = 0; i < 200; ++i) {
    const Answer answer = *store->Get(ValueKey("nokey" + std::to_string(i)), Tier::kMemory, &row);
    ASSERT_NE(answer, Answer::kFound);
    missing += answer == Answer::kMissing;
  }
  EXPECT_GT(missing, 180);
}

// Goal:   with more tables than may be open, the memory tier still never calls a stored row
//         missing or gives a wrong one.
TEST(RocksStore, ClosedTablesAreCold) {
  TempDir dir;
  RocksStore::Options options = Small();
  options.table_bytes = 64 << 10;
  options.open_files_max = 20;
  auto store = Open(dir.path() + "/s", options);
  ASSERT_TRUE(store->Apply(Bulk(50000, 1)).ok());
  ASSERT_TRUE(store->Apply(Bulk(50000, 2)).ok());
  ASSERT_TRUE(store->CompactAll().ok());
  store.reset();
  store = Open(dir.path() + "/s", options);
  std::string quick, row;
  for (int i = 0; i < 50000; i += 37) {
    const std::string key = ValueKey("key" + std::to_string(i));
    const Answer answer = *store->Get(key, Tier::kMemory, &quick);
    ASSERT_NE(answer, Answer::kMissing);
    ASSERT_EQ(*store->Get(key, Tier::kDisk, &row), Answer::kFound);
    if (answer == Answer::kFound) {
      ASSERT_EQ(quick, row);
    }
  }
}

// Goal:   compaction drops field rows of generations that ended, and no others.
// Method: per key, fields of generations 1 to 3 and a head of each possible kind; after a
//         compaction exactly the fields of the head's generation (or a later one) are left.
TEST(RocksStore, DropsFieldsOfEndedHashes) {
  struct Head {
    std::string name, row;
    std::set<uint64_t> kept;
  };
  using model::RowType;
  const std::vector<Head> heads = {
      {"none", "", {}},
      {"string", StringRow("x"), {}},
      {"small", HeadRow(RowType::kSmallHash, 2), {}},
      {"large1", HeadRow(RowType::kLargeHash, 1), {1, 2, 3}},
      {"large2", HeadRow(RowType::kLargeHash, 2), {2, 3}},
      {"large3", HeadRow(RowType::kLargeHash, 3), {3}},
      {"large4", HeadRow(RowType::kLargeHash, 4), {}},
  };
  std::map<std::string, std::string> rows;
  for (const Head& head : heads) {
    if (!head.row.empty()) rows[ValueKey(head.name)] = head.row;
    for (uint64_t generation : {1, 2, 3}) {
      for (const char* field : {"a", "b", "c"}) {
        rows[FieldKey(head.name, generation, field)] = head.name;
      }
    }
  }
  // Of a keyspace nobody knows nothing is dropped.
  std::string stranger;
  model::FieldPrefix(stranger, KeyspaceId(9), kToken, "key", Generation(1));
  rows[stranger + "field"] = "x";

  TempDir dir;
  auto store = Open(dir.path() + "/s", Small());
  for (uint64_t lsn : {1, 2}) ASSERT_TRUE(store->Apply(RunOf(rows, lsn)).ok());
  ASSERT_TRUE(store->CompactAll().ok());
  std::string row;
  for (const Head& head : heads) {
    for (uint64_t generation : {1, 2, 3}) {
      for (const char* field : {"a", "b", "c"}) {
        const auto answer = *store->Get(FieldKey(head.name, generation, field), Tier::kDisk, &row);
        EXPECT_EQ(answer == Answer::kFound, head.kept.contains(generation))
            << head.name << " generation " << generation;
      }
    }
  }
  EXPECT_EQ(*store->Get(stranger + "field", Tier::kDisk, &row), Answer::kFound);
}

// Goal:   the space of a cleared range comes back without further writes, and counts know of the
//         clear at once.
TEST(RocksStore, ClearedRangesGiveTheirSpaceBack) {
  TempDir dir;
  RocksStore::Options options = Small();
  auto files = std::make_shared<FailingFiles>();
  options.files = files;
  auto store = Open(dir.path() + "/s", options);
  ASSERT_TRUE(store->Apply(Bulk(100000, 1)).ok());
  std::string begin;
  model::KindPrefix(begin, kKeyspace, model::Kind::kValue, {});
  const std::string end = model::PrefixEnd(begin);
  const uint64_t before = store->ApproximateBytes(begin, end);
  EXPECT_GT(before, 5'000'000u);
  EXPECT_NEAR(double(store->ApproximateKeys(begin, end)), 100000.0, 10000.0);

  auto buffer = std::make_shared<Buffer>();
  buffer->ClearRange(begin, end, Turn(1));
  ASSERT_TRUE(store->Apply({buffer, {}}).ok());
  EXPECT_EQ(store->ApproximateKeys(begin, end), 0u);
  int removed = 0, seen = -1;
  while (removed > seen && store->health().table_bytes > before / 10) {
    seen = removed;
    removed = files->AwaitRemoval(seen);
  }
  EXPECT_LT(store->health().table_bytes, before / 10);
}

// Goal:   health says what is going on: runs pile up past the bound while compaction is kept from
//         running, and the store says it is stalled; it is not any more once compacted.
TEST(RocksStore, SaysWhenItIsBehind) {
  TempDir dir;
  RocksStore::Options options = Small();
  options.level0_files_compact = 1000;
  options.level0_files_stall = 5;
  auto store = Open(dir.path() + "/s", options);
  // The first run goes to the last level, nothing being in its way.
  for (uint64_t lsn = 1; lsn <= 6; ++lsn) {
    EXPECT_EQ(store->Stalled(), false);
    ASSERT_TRUE(store->Apply(Bulk(100, lsn)).ok());
  }
  EXPECT_EQ(store->health().level0_files, 5u);
  EXPECT_TRUE(store->Stalled());
  ASSERT_TRUE(store->CompactAll().ok());
  EXPECT_FALSE(store->Stalled());
  const Health health = store->health();
  EXPECT_EQ(health.level0_files, 0u);
  EXPECT_GT(health.run_bytes_written, 6u * 100 * 90);
  EXPECT_GT(health.compact_bytes_written, 100u * 90);
  EXPECT_GT(health.table_bytes, 100u * 90);
  EXPECT_EQ(health.error, "");
}

// Goal:   before Apply returns, the table, the directory it is in and the manifest were synced
//         after their last change: a power cut cannot take the run back.
// Method: files that note every change and sync; after each Apply nothing changed is unsynced.
TEST(RocksStore, SyncsBeforeItReturns) {
  TempDir dir;
  RocksStore::Options options = Small();
  auto files = std::make_shared<FailingFiles>();
  options.files = files;
  options.level0_files_compact = 1000;  // compactions sync in their own time
  auto store = Open(dir.path() + "/s", options);
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) {
    ASSERT_TRUE(store->Apply(Bulk(1000, lsn)).ok());
    EXPECT_EQ(files->Unsynced(), std::set<std::string>()) << "after run " << lsn;
  }
  EXPECT_GT(files->steps(), 20);
}

// Goal:   a disk that is full, or fails, leaves content and positions as they were wherever it
//         strikes; the same run goes in when it is over, after opening anew if need be (not for a
//         full disk), and nothing is lost or left over.
// Method: fail at the first change of an Apply, then at the second, …, until one gets through:
//         once, and from then on.
void FailAtEveryStep(FailingFiles::Fails fails, const rocksdb::IOStatus& error, Code code) {
  TempDir dir;
  RocksStore::Options options = Small();
  options.level0_files_compact = 1000;  // compactions would take steps in their own time
  auto files = std::make_shared<FailingFiles>();
  options.files = files;
  auto store = Open(dir.path() + "/s", options);
  uint64_t lsn = 1;
  ASSERT_TRUE(store->Apply(Bulk(300, lsn)).ok());
  bool struck = true;
  for (int step = 1; struck; ++step) {
    SCOPED_TRACE(testing::Message() << "failing at step " << step);
    ASSERT_LT(step, 200);
    files->FailAt(step, fails, error);
    const Status applied = store->Apply(Bulk(300, lsn + 1));
    struck = files->Heal();
    if (!applied.ok()) {
      ASSERT_TRUE(struck);
      ASSERT_EQ(applied.error().code, code) << applied.error().message;
      ASSERT_EQ(LsnOf(*store), lsn);
      if (step % 2 == 0) {  // the process may also end here
        store.reset();
        store = Open(dir.path() + "/s", options);
        ASSERT_NE(store, nullptr);
        ASSERT_TRUE(LsnOf(*store) == lsn || LsnOf(*store) == lsn + 1);
      }
      Status again = store->Apply(Bulk(300, lsn + 1));
      if (!again.ok() && code == Code::kIo) {
        ASSERT_FALSE(store->Stalled());
        ASSERT_NE(store->health().error, "");
        store.reset();
        store = Open(dir.path() + "/s", options);
        ASSERT_NE(store, nullptr);
        again = store->Apply(Bulk(300, lsn + 1));
      }
      ASSERT_TRUE(again.ok()) << again.error().message;
    }
    ++lsn;
    ASSERT_EQ(store->health().error, "");
    ASSERT_EQ(LsnOf(*store), lsn);
  }
  store.reset();
  store = Open(dir.path() + "/s", options);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(LsnOf(*store), lsn);
  EXPECT_EQ(fs::directory_iterator(dir.path() + "/s/tmp"), fs::directory_iterator());
}

TEST(RocksStore, LivesThroughAFullDisk) {
  const auto full = rocksdb::IOStatus::NoSpace("full");
  FailAtEveryStep(FailingFiles::Fails::kFromThenOn, full, Code::kNoSpace);
  FailAtEveryStep(FailingFiles::Fails::kOnce, full, Code::kNoSpace);
}

TEST(RocksStore, LosesNothingToIoErrors) {
  const auto broken = rocksdb::IOStatus::IOError("broken");
  FailAtEveryStep(FailingFiles::Fails::kFromThenOn, broken, Code::kIo);
  FailAtEveryStep(FailingFiles::Fails::kOnce, broken, Code::kIo);
}

// Goal:   what RocksDB says for people takes no file, whose failed write would end the process.
// Method: what lies in the directory; the power cuts of tests/e2e/test_power_cut.py met the rest.
TEST(RocksStore, KeepsNoFileForPeople) {
  TempDir dir;
  auto store = Open(dir.path() + "/s", Small());
  ASSERT_TRUE(store->Apply(Bulk(300, 1)).ok());
  for (const auto& entry : fs::directory_iterator(dir.path() + "/s/db")) {
    const std::string name = entry.path().filename();
    EXPECT_FALSE(name.starts_with("LOG") && name != "LOCK") << name;
  }
}

// Goal:   a compaction that meets a full disk is not the end: the next Apply clears the error, and
//         compaction goes on.
// Method: enough runs for a compaction, which fails at each of its steps in turn.
TEST(RocksStore, CompactsAgainAfterAFullDisk) {
  TempDir dir;
  RocksStore::Options options = Small();
  options.level0_files_compact = 1000;
  auto files = std::make_shared<FailingFiles>();
  options.files = files;
  auto store = Open(dir.path() + "/s", options);
  uint64_t lsn = 0;
  bool struck = true;
  for (int step = 1; struck; ++step) {
    SCOPED_TRACE(testing::Message() << "failing at step " << step);
    ASSERT_LT(step, 200);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(store->Apply(Bulk(300, ++lsn)).ok());
    files->FailAt(step, FailingFiles::Fails::kFromThenOn, rocksdb::IOStatus::NoSpace("full"));
    const bool compacted = store->CompactAll().ok();
    struck = files->Heal();
    ASSERT_TRUE(compacted || struck);
    ASSERT_TRUE(store->Apply(Bulk(300, ++lsn)).ok());
    ASSERT_EQ(store->health().error, "");
    const Status again = store->CompactAll();
    ASSERT_TRUE(again.ok()) << again.error().message;
    ASSERT_EQ(store->health().level0_files, 0u);
    ASSERT_EQ(LsnOf(*store), lsn);
  }
}

// Goal:   a process that ends at any I/O of an Apply leaves rows and positions of before or of
//         after, together, and no leftovers once opened again.
// Method: all I/O fails from step n on, for good; the store is dropped, opened over healthy files,
//         and rows and position are compared; n grows until an Apply gets through.
TEST(RocksStore, RunsAreAllOrNothingAtAnyCrash) {
  for (int step = 1;; ++step) {
    SCOPED_TRACE(testing::Message() << "crash at step " << step);
    ASSERT_LT(step, 200);
    TempDir dir;
    RocksStore::Options options = Small();
    auto files = std::make_shared<FailingFiles>();
    options.files = files;
    auto store = Open(dir.path() + "/s", options);
    ASSERT_TRUE(store->Apply(RunOf({{ValueKey("a"), StringRow("1")}}, 1)).ok());
    files->FailAt(step, FailingFiles::Fails::kFromThenOn, rocksdb::IOStatus::IOError("dead"));
    const bool applied =
        store->Apply(RunOf({{ValueKey("a"), StringRow("2")}, {ValueKey("b"), StringRow("2")}}, 2))
            .ok();
    store.reset();
    const bool struck = files->Heal();
    store = Open(dir.path() + "/s", Small());
    ASSERT_NE(store, nullptr);
    std::string a, b;
    ASSERT_EQ(*store->Get(ValueKey("a"), Tier::kDisk, &a), Answer::kFound);
    const bool has_b = *store->Get(ValueKey("b"), Tier::kDisk, &b) == Answer::kFound;
    const bool after = LsnOf(*store) == 2;
    EXPECT_TRUE(after || LsnOf(*store) == 1);
    EXPECT_EQ(a, StringRow(after ? "2" : "1"));
    EXPECT_EQ(has_b, after);
    EXPECT_TRUE(after || !applied) << "an applied run is gone";
    EXPECT_EQ(fs::directory_iterator(dir.path() + "/s/tmp"), fs::directory_iterator());
    if (!struck) return;
  }
}

// Goal:   the tables that a crash left beside the database are removed, and nothing else.
TEST(RocksStore, RemovesLeftovers) {
  TempDir dir;
  Open(dir.path() + "/s", Small()).reset();
  std::ofstream(dir.path() + "/s/tmp/000009.sst") << "half a table";
  std::ofstream(dir.path() + "/s/tmp/notes.txt") << "somebody's";
  Open(dir.path() + "/s", Small()).reset();
  EXPECT_FALSE(fs::exists(dir.path() + "/s/tmp/000009.sst"));
  EXPECT_TRUE(fs::exists(dir.path() + "/s/tmp/notes.txt"));
}

void ExpectRefused(const std::string& dir, Code code, const std::string& named) {
  const auto opened = RocksStore::Open(dir, Small());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, code) << opened.error().message;
  EXPECT_NE(opened.error().message.find(named), std::string::npos) << opened.error().message;
}

// Goal:   what is not a store, is damaged, or is a later version's is refused by name, and nothing
//         in it is changed.
TEST(RocksStore, RefusesWhatItCannotTrust) {
  TempDir dir;
  const std::string foreign = dir.path() + "/foreign";
  fs::create_directories(foreign + "/db");
  std::ofstream(foreign + "/db/thesis.doc") << "precious";
  ExpectRefused(foreign, Code::kCorrupt, "thesis.doc");
  EXPECT_TRUE(fs::exists(foreign + "/db/thesis.doc"));
  EXPECT_FALSE(fs::exists(foreign + "/db/CURRENT"));

  const std::string good = dir.path() + "/good";
  EXPECT_TRUE(Open(good, Small())->Apply(Bulk(5000, 1)).ok());
  const auto copy = [&](const std::string& name) {
    fs::copy(good, dir.path() + "/" + name, fs::copy_options::recursive);
    return dir.path() + "/" + name;
  };
  const std::string lost = copy("lost");
  fs::remove(lost + "/db/CURRENT");
  ExpectRefused(lost, Code::kCorrupt, "CURRENT");

  for (const auto& file : fs::directory_iterator(good + "/db")) {
    const std::string name = file.path().filename();
    if (name.ends_with(".sst")) {
      const std::string missing = copy("missing");
      fs::remove(missing + "/db/" + name);
      ExpectRefused(missing, Code::kCorrupt, name.substr(0, name.find('.')));
      const std::string cut = copy("cut");
      fs::resize_file(cut + "/db/" + name, fs::file_size(file) / 2);
      ExpectRefused(cut, Code::kCorrupt, name);
    }
    if (name.starts_with("MANIFEST")) {
      const std::string flipped = copy("flipped");
      std::fstream manifest(flipped + "/db/" + name, std::ios::in | std::ios::out);
      manifest.seekp(20);
      manifest.put('\x55');
      manifest.close();
      ExpectRefused(flipped, Code::kCorrupt, flipped);
    }
  }

  const std::string later = copy("later");
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, later + "/db", &db).ok());
  ASSERT_TRUE(db->Put({}, "\xff\xffV", rocksdb::Slice("\x02\0\0\0", 4)).ok());
  delete db;
  ExpectRefused(later, Code::kInvalid, "format 2");
}

// Goal:   a damaged block is found when it is read, and the file named; other rows are unharmed.
// Method: flip a byte in every block's reach of the table in turn, read every row.
TEST(RocksStore, NamesTheDamagedTable) {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  EXPECT_TRUE(Open(path, Small())->Apply(Bulk(2000, 1)).ok());
  std::string table;
  for (const auto& file : fs::directory_iterator(path + "/db")) {
    if (file.path().extension() == ".sst") table = file.path();
  }
  std::fstream bytes(table, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(10000);
  const int was = bytes.get();
  bytes.seekp(10000);
  bytes.put(static_cast<char>(was ^ 1));
  bytes.close();

  auto store = Open(path, Small());
  int damaged = 0;
  std::string row;
  for (int i = 0; i < 2000; ++i) {
    const auto answer = store->Get(ValueKey("key" + std::to_string(i)), Tier::kDisk, &row);
    if (answer.has_value()) {
      ASSERT_EQ(*answer, Answer::kFound);
      continue;
    }
    ++damaged;
    ASSERT_EQ(answer.error().code, Code::kCorrupt);
    ASSERT_NE(answer.error().message.find(fs::path(table).filename().string()), std::string::npos)
        << answer.error().message;
  }
  EXPECT_GT(damaged, 0);
  EXPECT_LT(damaged, 200);
  auto cursor = store->NewCursor();
  for (cursor->Seek(""); cursor->Valid();) cursor->Next();
  EXPECT_EQ(cursor->status().error().code, Code::kCorrupt);
}

// Goal:   a store opened to read shows what is there and changes no file.
TEST(RocksStore, OpensToRead) {
  TempDir dir;
  const std::string path = dir.path() + "/s";
  EXPECT_FALSE(RocksStore::OpenToRead(path, Small()).has_value());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(Open(path, Small())->Apply(Bulk(10, 5)).ok());
  const auto listing = [&] {
    std::map<std::string, uint64_t> sizes;
    for (const auto& file : fs::recursive_directory_iterator(path)) {
      const std::string name = file.path().filename();
      if (file.is_regular_file()) sizes[name] = file.file_size();
    }
    return sizes;
  };
  const auto before = listing();
  auto store = RocksStore::OpenToRead(path, Small());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ(LsnOf(**store), 5u);
  EXPECT_EQ((*store)->Apply(Bulk(10, 6)).error().code, Code::kInvalid);
  EXPECT_EQ((*store)->Tables().size(), 1u);
  EXPECT_TRUE((*store)->Verify().ok());
  store->reset();
  EXPECT_EQ(listing(), before);
}

}  // namespace
}  // namespace sluice::store
