// What a row costs the store in bytes. The same on every machine.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "store/rocks_store.h"
#include "store/temp_dir_test.h"

namespace sluice::store {
namespace {

constexpr uint64_t kRows = 50'000;
constexpr size_t kValueBytes = 100;

// Half of it compresses, as in the bench.
std::string HalfCompressible(Prng& prng) {
  std::string value;
  while (value.size() < kValueBytes / 2) value.push_back(static_cast<char>('0' + prng.Below(64)));
  return value.append(kValueBytes - value.size(), 'x');
}

// kRows SETs of random keys, which are added to `keys` if that is there.
Run RunOfSets(uint64_t lsn, std::vector<std::string>* keys = nullptr) {
  Prng prng(lsn);
  auto buffer = std::make_shared<Buffer>();
  std::string key, token;
  for (uint64_t i = 0; i < kRows; ++i) {
    const std::string name = fmt::format("key:{:012}", prng.Below(1'000'000'000));
    token = fmt::format("{:08x}", static_cast<uint32_t>(prng()));
    key.clear();
    model::ValueKey(key, model::KeyspaceId(0), token, name);
    std::string row(model::StringHeadSize(0), 0);
    model::StoreStringHead(row.data(), 0);
    if (keys != nullptr) keys->push_back(key);
    buffer->Put(key, row.append(HalfCompressible(prng)), model::Turn(1));
  }
  return {buffer, {{model::Lineage(1), model::ShardSeq(lsn), model::Lsn(lsn)}}};
}

// Goal:   bytes that one row takes in a run, and in a merged table.
// Method: runs of random keys of 16 bytes with values of 100, of which half compress; merged whole.
TEST(Counts, BytesOfARow) {
  constexpr int kRuns = 8;
  TempDir dir;
  auto store = RocksStore::Open(dir.path() + "/s", {}).value();
  for (uint64_t lsn = 1; lsn <= kRuns; ++lsn) ASSERT_TRUE(store->Apply(RunOfSets(lsn)).ok());
  ASSERT_TRUE(store->CompactAll().ok());
  const Health health = store->health();
  const double rows = static_cast<double>(kRuns) * kRows;
  // 138.7: runs are not compressed, as they are soon read again as a whole.
  EXPECT_LE(static_cast<double>(health.run_bytes_written) / rows, 142);
  EXPECT_LE(static_cast<double>(health.table_bytes) / rows, 82);  // 77.4
}

// What this process asked the kernel for by read calls, whether a disk was asked or not.
uint64_t BytesRead() {
  std::ifstream io("/proc/self/io");
  std::string word;
  uint64_t bytes = 0;
  while (io >> word >> bytes) {
    if (word == "rchar:") return bytes;
  }
  ADD_FAILURE() << "no rchar in /proc/self/io";
  return 0;
}

// Goal:   a row from disk costs a few blocks, however little of the tables' filters fits in memory.
// Method: a merged store of 400,000 rows, whose filters take 500 KB; 2,000 of them are read with
//         caches below and above that.
// Broken: filters in one piece per table: 505,000 bytes a row with the smallest cache.
TEST(Counts, BytesReadForARow) {
  constexpr int kRuns = 8, kReads = 2'000;
  for (const uint64_t cache_bytes : {64 << 10, 1 << 20, 64 << 20}) {
    TempDir dir;
    RocksStore::Options options;
    options.block_cache_bytes = cache_bytes;
    auto store = RocksStore::Open(dir.path() + "/s", options).value();
    std::vector<std::string> keys;
    for (uint64_t lsn = 1; lsn <= kRuns; ++lsn) {
      ASSERT_TRUE(store->Apply(RunOfSets(lsn, &keys)).ok());
    }
    ASSERT_TRUE(store->CompactAll().ok());
    Prng prng(1);
    std::string row;
    const uint64_t before = BytesRead();
    for (int i = 0; i < kReads; ++i) {
      const auto answer = store->Get(keys[prng.Below(keys.size())], Tier::kDisk, &row);
      ASSERT_TRUE(answer.has_value() && *answer == Answer::kFound);
    }
    const double each = static_cast<double>(BytesRead() - before) / kReads;
    EXPECT_LE(each, 16 << 10) << "with a cache of " << cache_bytes;
  }
}

}  // namespace
}  // namespace sluice::store
