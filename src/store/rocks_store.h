// RocksStore: the store of a node, one RocksDB of one column family.
//
// Each run becomes one sorted file, written beside the database and ingested: file, directory and
// manifest are synced before Apply returns, and the manifest's one record makes it atomic. Nothing
// ever passes through RocksDB's own log or memory table. What one file clears and what it puts have
// one sequence number, so its puts survive its own cleared ranges and older rows do not.
//
// Threads:  as Store. RocksDB compacts on threads of its own.
// Failure:  a full disk, and any error of the manifest, is lived through: an Apply that finds the
//           disk well again succeeds. When reading for a compaction fails, RocksDB answers every
//           Apply with the error until the store is opened anew. A run whose Apply failed may be in
//           the store after it was opened anew, as a whole.
// Format:   docs/formats/keys.md; RocksDB tables, block format version 5.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "model/keyspace.h"
#include "store/store.h"

namespace rocksdb {
class FileSystem;
}  // namespace rocksdb

namespace sluice::store {

// What RocksDB is doing, for meters and admission.
struct Health {
  uint64_t level0_files = 0;
  uint64_t pending_compaction_bytes = 0;
  uint64_t running_compactions = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t table_bytes = 0;            // of live files
  uint64_t run_bytes_written = 0;      // since the store was opened
  uint64_t compact_bytes_written = 0;  // since the store was opened
  std::string error;                   // why compaction stands still; empty: it does not
};

// A sorted file of the store.
struct Table {
  std::string name;
  int level = 0;
  uint64_t bytes = 0;
  uint64_t rows = 0, deletions = 0;  // as written; later ones may hide them
};

class RocksStore : public Store {
 public:
  struct Options {
    uint64_t block_cache_bytes = uint64_t{256} << 20;  // index and filter blocks included
    uint64_t key_filter_bytes = 0;  // for knowing at once that a key is not there; 0: asks RocksDB
    int background_jobs = 2;
    int open_files_max = 512;
    uint64_t pinned_run_bytes = uint64_t{256} << 20;  // up to this a run's filter stays in memory
    // Up to so much is kept in one level, so that a row is written again once for 8 runs or more.
    uint64_t base_level_bytes = uint64_t{4} << 30;
    uint64_t table_bytes = uint64_t{64} << 20;  // a compacted file's
    int level0_files_compact = 8;               // runs that are compacted together
    // Past either, Stalled(): reads look into every run, and space waits for compaction.
    uint64_t level0_files_stall = 64;
    uint64_t pending_bytes_stall = uint64_t{16} << 30;
    // The catalogue's entry, valid as long as the store; nullptr if unknown. Asked on RocksDB's
    // threads, to drop the fields of hashes that ended. Empty: none is dropped.
    std::function<const model::Keyspace*(model::KeyspaceId)> keyspaces;
    std::shared_ptr<rocksdb::FileSystem> files;  // null: the true one; tests pass one that fails
  };

  // Opens or creates the store in `dir` (its parent exists). Leftovers of a crash are removed.
  //   kCorrupt  not a store, or a damaged one; nothing was changed
  //   kInvalid  written by a later version; nothing was changed
  //   kNoSpace, kIo
  static Result<std::unique_ptr<RocksStore>> Open(const std::string& dir, const Options& options);
  // For inspection of a stopped node's store: changes and adds no file; Apply answers
  // kInvalid.
  static Result<std::unique_ptr<RocksStore>> OpenToRead(const std::string& dir,
                                                        const Options& options);
  ~RocksStore() override;

  Result<bool> LearnKeys() override;
  bool MayHold(uint32_t hash) const override;
  void PrefetchHold(uint32_t hash) const override;
  // A row of a kMemory read may be reported kCold although it is in memory, never kMissing although
  // it is on disk.
  Result<Answer> Get(std::string_view key, Tier tier, std::string* row) override;
  Status GetMany(std::span<Lookup> lookups, size_t bytes_max) override;
  std::unique_ptr<Cursor> NewCursor() override;
  Status Apply(const Run& run) override;
  Result<std::vector<Position>> Positions() override;
  // Exact to a few thousand rows, an estimate beyond. May read from disk.
  uint64_t ApproximateKeys(std::string_view begin, std::string_view end) override;
  uint64_t ApproximateBytes(std::string_view begin, std::string_view end) override;
  double Fullness() const override;
  bool Stalled() const override;

  Health health() const;
  std::vector<Table> Tables() const;
  // Reads every block of every table. kCorrupt names the first that fails its checksum.
  Status Verify();
  // Compacts everything at once and waits; stale rows are gone afterwards.
  Status CompactAll();
  // From now on each run is merged as soon as it is there, so that the space of what it deletes
  // comes back; or when there are several, as usual. Any thread.
  void MergeAtOnce(bool at_once);

 private:
  struct Rocks;
  explicit RocksStore(std::unique_ptr<Rocks> rocks);
  static Result<std::unique_ptr<RocksStore>> OpenAs(const std::string& dir, const Options& options,
                                                    bool to_read);
  Status CheckOpened();
  void BeginLearning();
  Status WriteTable(const Run& run, const std::string& path);

  std::unique_ptr<Rocks> rocks_;
};

}  // namespace sluice::store
