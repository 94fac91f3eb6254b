#include "store/rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <limits>

#include "base/log_line.h"

namespace sluice::store {
namespace {

constexpr size_t kBlockBytes = size_t{4} << 10;
constexpr double kFilterBitsPerKey = 10;  // one missing key in a hundred costs a look into a table
constexpr double kCacheShareOfHeads = 0.5;                // kept for index and filter blocks
constexpr uint64_t kCachePartBytes = uint64_t{64} << 20;  // see Cache
constexpr int kCachePartBitsMax = 6;
constexpr size_t kLineBytesMax = 1024;  // of what RocksDB says; the rest is cut
constexpr uint64_t kSyncBytes = uint64_t{1} << 20;
constexpr size_t kReadAheadBytes = size_t{512} << 10;  // of each table that is compacted
constexpr uint64_t kResumeUs = 100'000;  // between RocksDB's attempts at a new manifest
constexpr std::chrono::milliseconds kRecoveryWait{2000};

rocksdb::BlockBasedTableOptions RunTable(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = kBlockBytes;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kFilterBitsPerKey));
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  // The newest runs are asked about every key that is not in a buffer. RocksDB pins those that are
  // no larger than one and a half of its write buffers.
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  return table;
}

// Of merged tables there are more than memory holds filters of. In pieces, a filter costs a key
// that finds it gone one block to read; whole, some megabytes.
rocksdb::BlockBasedTableOptions MergedTable(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table = RunTable(cache);
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = kBlockBytes;
  return table;
}

// In few parts, each under a lock of its own: a run's filter is one block of megabytes, and what is
// larger than its part stays in no cache.
std::shared_ptr<rocksdb::Cache> Cache(uint64_t bytes) {
  const int bits = std::bit_width(std::max<uint64_t>(bytes / kCachePartBytes, 1)) - 1;
  return rocksdb::NewLRUCache(bytes, std::min(bits, kCachePartBitsMax), false, kCacheShareOfHeads);
}

// What RocksDB says goes where all of the process's lines go. Into a file of its own it would write
// it with a writer that ends the process at the second write after one that failed.
class Lines : public rocksdb::Logger {
 public:
  Lines() : Logger(rocksdb::ERROR_LEVEL) {}

  using Logger::Logv;
  void Logv(const char* format, va_list values) override {
    char text[kLineBytesMax];
    std::vsnprintf(text, sizeof text, format, values);
    LogWarning("store", "RocksDB met an error", {{"text", text}});
  }
};

// Nothing is written but runs, and Apply's caller heeds Stalled(): no delays of RocksDB's own.
void NeverDelayWrites(rocksdb::Options& to) {
  to.level0_slowdown_writes_trigger = std::numeric_limits<int>::max() / 2;
  to.level0_stop_writes_trigger = std::numeric_limits<int>::max() / 2;
  to.soft_pending_compaction_bytes_limit = 0;
  to.hard_pending_compaction_bytes_limit = 0;
}

}  // namespace

void Watcher::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) {
  const std::lock_guard lock(mutex_);
  error_ = status->ToString();
  if (reason == rocksdb::BackgroundErrorReason::kManifestWrite ||
      reason == rocksdb::BackgroundErrorReason::kManifestWriteNoWAL) {
    manifest_failed_ = true;
    files_->KeepTables(true);
  }
}

void Watcher::OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) {
  if (!info.new_bg_error.ok()) return;
  const std::lock_guard lock(mutex_);
  // After a new manifest this is called twice, the first time with the old error; before the second
  // time RocksDB would still take a run amiss.
  if (manifest_failed_ && !info.old_bg_error.ok()) return;
  manifest_failed_ = false;
  files_->KeepTables(false);
  error_.clear();
  recovered_.notify_all();
}

Status Watcher::AwaitRecovery() {
  std::unique_lock lock(mutex_);
  if (recovered_.wait_for(lock, kRecoveryWait, [&] { return !manifest_failed_; })) return Ok();
  return Fail(files_->manifest_full() ? Code::kNoSpace : Code::kIo, error_);
}

bool Watcher::recovering() const {
  const std::lock_guard lock(mutex_);
  return manifest_failed_;
}

void Watcher::Forget() {
  const std::lock_guard lock(mutex_);
  if (!manifest_failed_) error_.clear();
}

std::string Watcher::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

RocksSetup SetUp(const RocksStore::Options& options) {
  RocksSetup setup;
  setup.cache = Cache(options.block_cache_bytes);
  setup.files =
      std::make_shared<RocksFiles>(options.files ? options.files : rocksdb::FileSystem::Default());
  setup.env = rocksdb::NewCompositeEnv(setup.files);
  setup.watcher = std::make_shared<Watcher>(setup.files);
  setup.filters = std::make_shared<GenerationFilterFactory>(options.keyspaces);

  rocksdb::Options& to = setup.database;
  to.env = setup.env.get();
  to.create_if_missing = true;
  to.paranoid_checks = true;
  to.force_consistency_checks = true;
  to.max_open_files = options.open_files_max;
  to.max_background_jobs = options.background_jobs;
  to.bgerror_resume_retry_interval = kResumeUs;
  to.bytes_per_sync = kSyncBytes;  // so that the last sync of a large file is short
  to.info_log = std::make_shared<Lines>();
  to.stats_dump_period_sec = 0;
  to.stats_persist_period_sec = 0;
  to.listeners.push_back(setup.watcher);

  to.compaction_style = rocksdb::kCompactionStyleLevel;
  to.level_compaction_dynamic_level_bytes = true;
  to.level0_file_num_compaction_trigger = options.level0_files_compact;
  to.max_bytes_for_level_base = options.base_level_bytes;
  to.target_file_size_base = options.table_bytes;
  // One thread: two would take both of a small machine's cores from the lanes.
  to.max_subcompactions = 1;
  to.compaction_readahead_size = kReadAheadBytes;
  to.write_buffer_size = options.pinned_run_bytes;  // nothing is buffered; see pin_l0 above
  to.compaction_filter_factory = setup.filters;
  NeverDelayWrites(to);
  // Runs are soon read again, as a whole: compressing them would cost more than it saves.
  to.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  to.table_factory.reset(rocksdb::NewBlockBasedTableFactory(MergedTable(setup.cache)));

  setup.tables = to;
  setup.tables.compression_per_level.clear();
  setup.tables.compression = rocksdb::kNoCompression;
  setup.tables.table_factory.reset(rocksdb::NewBlockBasedTableFactory(RunTable(setup.cache)));
  return setup;
}

Error ErrorOf(const rocksdb::Status& status, std::string_view what) {
  Code code = Code::kIo;
  if (status.IsNoSpace()) code = Code::kNoSpace;
  // A file that the manifest names and that is not there counts as damage too.
  if (status.IsCorruption() || status.IsNotSupported() || status.IsInvalidArgument() ||
      status.IsPathNotFound()) {
    code = Code::kCorrupt;
  }
  return Error{code, status.ToString()}.In(what);
}

}  // namespace sluice::store
