#include "store/rocks_store.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/experimental.h>
#include <rocksdb/file_system.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <utility>

#include "base/check.h"
#include "model/stored_key.h"
#include "store/key_filter.h"
#include "store/rocks_options.h"
#include "store/run_rows.h"

namespace sluice::store {
namespace {

constexpr uint64_t kCountedMax = 4096;     // rows counted one by one before an estimate will do
constexpr uint64_t kLearnedAtOnce = 8192;  // keys, some milliseconds
constexpr uint64_t kSkippedMax = 65536;    // rows passed over for that, when they are deleted

rocksdb::Slice SliceOf(std::string_view view) {
  return {view.data(), view.size()};
}

class RocksCursor : public Cursor {
 public:
  RocksCursor(std::unique_ptr<rocksdb::Iterator> at, std::string name)
      : at_(std::move(at)), name_(std::move(name)) {}

  void Seek(std::string_view key) override { at_->Seek(SliceOf(key)); }
  void SeekBefore(std::string_view key) override {
    at_->SeekForPrev(SliceOf(key));
    if (at_->Valid() && at_->key().ToStringView() == key) at_->Prev();
  }
  bool Valid() const override { return at_->Valid(); }
  void Next() override { at_->Next(); }
  void Prev() override { at_->Prev(); }
  std::string_view key() const override { return at_->key().ToStringView(); }
  std::string_view row() const override { return at_->value().ToStringView(); }
  Status status() const override {
    const rocksdb::Status status = at_->status();
    if (status.ok()) return Ok();
    return Fail(ErrorOf(status, name_));
  }

 private:
  std::unique_ptr<rocksdb::Iterator> at_;
  std::string name_;
};

rocksdb::ReadOptions ReadTier(rocksdb::ReadTier tier) {
  rocksdb::ReadOptions options;
  options.read_tier = tier;
  return options;
}

// Walks pass by much that nobody will ask for again.
rocksdb::ReadOptions ForWalk() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return options;
}

// What RocksDB itself puts into a directory.
bool IsDatabaseFile(const std::string& name) {
  static constexpr std::string_view kNames[] = {"CURRENT", "IDENTITY", "LOCK"};
  static constexpr std::string_view kBegins[] = {"MANIFEST-", "OPTIONS-", "LOG", "."};
  static constexpr std::string_view kEnds[] = {".log", ".sst", ".dbtmp"};
  const auto is = [&](std::string_view s) { return name == s; };
  const auto begins = [&](std::string_view s) { return name.starts_with(s); };
  const auto ends = [&](std::string_view s) { return name.ends_with(s); };
  return std::ranges::any_of(kNames, is) || std::ranges::any_of(kBegins, begins) ||
         std::ranges::any_of(kEnds, ends);
}

// Refuses what RocksDB would take for an empty directory and fill: a database that lost its
// CURRENT (its tables would be deleted), and somebody else's files.
Status CheckFiles(rocksdb::Env* env, const std::string& dir) {
  std::vector<std::string> names;
  const auto status = env->GetChildren(dir, &names);
  if (status.IsNotFound()) return Ok();
  if (!status.ok()) return Fail(ErrorOf(status, dir));
  bool current = false, tables = false;
  for (const std::string& name : names) {
    if (!IsDatabaseFile(name)) {
      return Fail(Code::kCorrupt, fmt::format("{}/{} is not a file of a store", dir, name));
    }
    current |= name == "CURRENT";
    tables |= name.ends_with(".sst");
  }
  if (tables && !current) {
    return Fail(Code::kCorrupt, fmt::format("{}/CURRENT is missing beside tables", dir));
  }
  return Ok();
}

Status SyncDir(rocksdb::Env* env, const std::string& dir) {
  std::unique_ptr<rocksdb::Directory> directory;
  auto status = env->NewDirectory(dir, &directory);
  if (status.ok()) status = directory->Fsync();
  if (!status.ok()) return Fail(ErrorOf(status, dir));
  return Ok();
}

Status MakeDirs(rocksdb::Env* env, const std::string& dir) {
  for (const std::string& path : {dir, dir + "/db", dir + "/tmp"}) {
    const auto status = env->CreateDirIfMissing(path);
    if (!status.ok()) return Fail(ErrorOf(status, path));
  }
  SLUICE_TRY(SyncDir(env, dir));
  return SyncDir(env, dir + "/..");
}

Status RemoveLeftovers(rocksdb::Env* env, const std::string& dir) {
  std::vector<std::string> names;
  auto status = env->GetChildren(dir, &names);
  for (const std::string& name : names) {
    if (status.ok() && name.ends_with(".sst")) status = env->DeleteFile(dir + "/" + name);
  }
  if (!status.ok()) return Fail(ErrorOf(status, dir));
  return Ok();
}

}  // namespace

struct RocksStore::Rocks {
  Rocks(std::string path, const Options& wanted, RocksSetup made)
      : dir(std::move(path)), options(wanted), setup(std::move(made)) {}

  std::string dir;
  Options options;
  RocksSetup setup;
  std::unique_ptr<rocksdb::DB> db;
  const rocksdb::ReadOptions from_memory = ReadTier(rocksdb::kBlockCacheTier);
  const rocksdb::ReadOptions from_disk = ReadTier(rocksdb::kReadAllTier);
  bool to_read = false;
  uint64_t tables_made = 0;
  KeyFilter filter{options.key_filter_bytes};
  std::unique_ptr<rocksdb::Iterator> learning;  // what of the tables the filter does not know yet
  std::atomic<bool> filter_whole = false;
  std::atomic<uint64_t> run_bytes = 0;
  std::atomic<bool> merge_at_once = false;

  rocksdb::Env* env() const { return setup.database.env; }
  uint64_t Count(const std::string& property) const {
    uint64_t value = 0;
    db->GetIntProperty(property, &value);
    return value;
  }
  uint64_t Level0Files() const {
    std::string files;
    db->GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files);
    return std::strtoull(files.c_str(), nullptr, 10);
  }
  // Makes RocksDB take runs and compact again after an error, if its reason is gone.
  Status Recover() {
    SLUICE_TRY(setup.watcher->AwaitRecovery());
    if (!setup.watcher->error().empty() && db->Resume().ok()) setup.watcher->Forget();
    return Ok();
  }
  Error IngestError(const rocksdb::Status& status, const std::string& path) const {
    Error error = ErrorOf(status, path);
    if (error.code == Code::kIo && setup.files->manifest_full()) error.code = Code::kNoSpace;
    return error;
  }
};

RocksStore::RocksStore(std::unique_ptr<Rocks> rocks) : rocks_(std::move(rocks)) {}

RocksStore::~RocksStore() {
  if (!rocks_->setup.watcher->recovering()) return;
  // Closing would never end, so RocksDB stays behind with files that it cannot change.
  RocksFiles& files = *rocks_->setup.files;
  files.Fence(std::move(rocks_));
}

Result<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& dir,
                                                     const Options& options) {
  return OpenAs(dir, options, false);
}

Result<std::unique_ptr<RocksStore>> RocksStore::OpenToRead(const std::string& dir,
                                                           const Options& options) {
  return OpenAs(dir, options, true);
}

Result<std::unique_ptr<RocksStore>> RocksStore::OpenAs(const std::string& dir,
                                                       const Options& options, bool to_read) {
  auto rocks = std::make_unique<Rocks>(dir, options, SetUp(options));
  rocks->to_read = to_read;
  rocksdb::Env* env = rocks->env();
  const std::string path = dir + "/db";
  SLUICE_TRY(CheckFiles(env, path));
  if (!to_read) {
    SLUICE_TRY(MakeDirs(env, dir));
    SLUICE_TRY(RemoveLeftovers(env, dir + "/tmp"));
  }
  rocksdb::DB* db = nullptr;
  const auto status = to_read ? rocksdb::DB::OpenForReadOnly(rocks->setup.database, path, &db)
                              : rocksdb::DB::Open(rocks->setup.database, path, &db);
  if (!status.ok()) return Fail(ErrorOf(status, path));
  rocks->db.reset(db);
  std::unique_ptr<RocksStore> store(new RocksStore(std::move(rocks)));
  SLUICE_TRY(store->CheckOpened());
  store->rocks_->setup.filters->Use(db);
  store->BeginLearning();
  return store;
}

Status RocksStore::CheckOpened() {
  std::string key, row;
  model::FormatKey(key);
  SLUICE_ASSIGN(const Answer answer, Get(key, Tier::kDisk, &row));
  const std::unique_ptr<Cursor> cursor = NewCursor();
  cursor->Seek({});
  SLUICE_TRY(cursor->status());
  const Status format = CheckFormat(answer == Answer::kFound ? row : "", cursor->Valid());
  if (!format.ok()) return Fail(format.error().In(rocks_->dir));
  return Ok();
}

// What is applied from now on gets into the filter by itself.
void RocksStore::BeginLearning() {
  const uint64_t keys = rocks_->Count(rocksdb::DB::Properties::kEstimateNumKeys);
  if (rocks_->options.key_filter_bytes == 0 ||
      keys > rocks_->options.key_filter_bytes * KeyFilter::kKeysPerByte)
    return;
  rocks_->learning.reset(rocks_->db->NewIterator(ForWalk()));
  rocks_->learning->SeekToFirst();
}

Result<bool> RocksStore::LearnKeys() {
  rocksdb::Iterator* const at = rocks_->learning.get();
  if (at == nullptr) return true;
  for (uint64_t i = 0; i < kLearnedAtOnce && at->Valid(); ++i, at->Next()) {
    rocks_->filter.Add(HashedKey::HashOf(at->key().ToStringView()));
  }
  if (at->Valid()) return false;
  if (!at->status().ok()) return Fail(ErrorOf(at->status(), rocks_->dir));
  rocks_->learning.reset();
  rocks_->filter_whole.store(true, std::memory_order_release);
  return true;
}

bool RocksStore::MayHold(uint32_t hash) const {
  return !rocks_->filter_whole.load(std::memory_order_acquire) || rocks_->filter.MayHold(hash);
}

void RocksStore::PrefetchHold(uint32_t hash) const {
  rocks_->filter.Prefetch(hash);
}

Result<Answer> RocksStore::Get(std::string_view key, Tier tier, std::string* row) {
  rocksdb::PinnableSlice found;
  const auto status =
      rocks_->db->Get(tier == Tier::kMemory ? rocks_->from_memory : rocks_->from_disk,
                      rocks_->db->DefaultColumnFamily(), SliceOf(key), &found);
  if (status.ok()) {
    // RocksDB 7.8 answers with an empty row when the table is not open and may not be opened.
    if (tier == Tier::kMemory && found.empty()) return Answer::kCold;
    row->assign(found.data(), found.size());
    return Answer::kFound;
  }
  if (status.IsNotFound()) return Answer::kMissing;
  if (status.IsIncomplete()) return Answer::kCold;
  return Fail(ErrorOf(status, rocks_->dir));
}

// RocksDB looks rows up together that may lie in one table.
Status RocksStore::GetMany(std::span<Lookup> lookups, size_t bytes_max) {
  SLUICE_CHECK(lookups.size() <= kManyMax);
  std::array<Lookup*, kManyMax> asked;
  std::array<rocksdb::Slice, kManyMax> keys;
  std::array<rocksdb::PinnableSlice, kManyMax> rows;
  std::array<rocksdb::Status, kManyMax> statuses;
  size_t count = 0;
  for (Lookup& lookup : lookups) {
    if (lookup.answer != Answer::kCold) continue;
    keys[count] = SliceOf(lookup.key);
    asked[count++] = &lookup;
  }
  if (count == 0) return Ok();
  rocksdb::ReadOptions how = rocks_->from_disk;
  how.value_size_soft_limit = bytes_max;
  rocks_->db->MultiGet(how, rocks_->db->DefaultColumnFamily(), count, keys.data(), rows.data(),
                       statuses.data());
  for (size_t i = 0; i < count; ++i) {
    if (statuses[i].IsAborted()) continue;  // past the limit
    const bool found = statuses[i].ok();
    if (!found && !statuses[i].IsNotFound()) return Fail(ErrorOf(statuses[i], rocks_->dir));
    asked[i]->answer = found ? Answer::kFound : Answer::kMissing;
    if (found) asked[i]->row.assign(rows[i].data(), rows[i].size());
  }
  return Ok();
}

std::unique_ptr<Cursor> RocksStore::NewCursor() {
  std::unique_ptr<rocksdb::Iterator> iterator(rocks_->db->NewIterator(ForWalk()));
  return std::make_unique<RocksCursor>(std::move(iterator), rocks_->dir);
}

Status RocksStore::WriteTable(const Run& run, const std::string& path) {
  Breaks breaks;
  SLUICE_ASSIGN(RunRows rows, RunRows::Of(run, breaks));
  // The pages stay in the page cache: the next compaction reads them.
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(rocks_->setup.tables), rocks_->setup.tables,
                                nullptr, /*invalidate_page_cache=*/false);
  rocksdb::Status status = writer.Open(path);
  if (run.buffer) {
    for (const Buffer::Range& range : run.buffer->cleared()) {
      if (status.ok()) status = writer.DeleteRange(SliceOf(range.begin), SliceOf(range.end));
    }
  }
  // Lines of the filter are asked for some rows ahead of their use.
  std::array<uint32_t, 16> hashes;
  size_t row = 0;
  for (; status.ok() && rows.Next(); ++row) {
    uint32_t& hash = hashes[row % hashes.size()];
    if (row >= hashes.size()) rocks_->filter.Add(hash);
    hash = HashedKey::HashOf(rows.key());
    rocks_->filter.Prefetch(hash);
    status = rows.deleted() ? writer.Delete(SliceOf(rows.key()))
                            : writer.Put(SliceOf(rows.key()), SliceOf(rows.row()));
    breaks.DidRow(rows.key().size() + rows.row().size());
  }
  for (size_t i = 0; i < std::min(row, hashes.size()); ++i) rocks_->filter.Add(hashes[i]);
  if (status.ok()) status = writer.Finish();
  if (!status.ok()) return Fail(ErrorOf(status, path));
  rocks_->run_bytes += writer.FileSize();
  return Ok();
}

Status RocksStore::Apply(const Run& run) {
  if (rocks_->to_read) return Fail(Code::kInvalid, "the store is open to read");
  SLUICE_TRY(rocks_->Recover());
  const std::string path = fmt::format("{}/tmp/{:06}.sst", rocks_->dir, ++rocks_->tables_made);
  Status written = WriteTable(run, path);
  if (written.ok()) {
    rocksdb::IngestExternalFileOptions how;
    how.move_files = true;
    how.write_global_seqno = false;
    const auto status = rocks_->db->IngestExternalFile({path}, how);
    if (!status.ok()) written = Fail(rocks_->IngestError(status, path));
  }
  if (!written.ok()) {
    (void)rocks_->env()->DeleteFile(path);  // else Open will
    return written;
  }
  // Only a hint: the space comes back sooner than the tables would fill up.
  if (rocks_->merge_at_once) {
    (void)rocksdb::experimental::SuggestCompactRange(rocks_->db.get(), nullptr, nullptr);
  }
  if (!run.buffer) return Ok();
  for (const Buffer::Range& range : run.buffer->cleared()) {
    const rocksdb::Slice begin = SliceOf(range.begin), end = SliceOf(range.end);
    (void)rocksdb::experimental::SuggestCompactRange(rocks_->db.get(), &begin, &end);
  }
  return Ok();
}

Result<std::vector<Position>> RocksStore::Positions() {
  std::string prefix;
  model::KindPrefix(prefix, model::kMetaKeyspace, model::Kind::kPosition, {});
  std::vector<Position> positions;
  const std::unique_ptr<Cursor> cursor = NewCursor();
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
    Position position;
    if (!DecodePosition(cursor->key(), cursor->row(), &position)) {
      return Fail(Code::kCorrupt, fmt::format("{}: a position is damaged", rocks_->dir));
    }
    positions.push_back(position);
  }
  SLUICE_TRY(cursor->status());
  return positions;
}

uint64_t RocksStore::ApproximateKeys(std::string_view begin, std::string_view end) {
  if (begin >= end) return 0;
  rocksdb::ReadOptions walk = ForWalk();
  const rocksdb::Slice bound = SliceOf(end);
  walk.iterate_upper_bound = &bound;
  walk.max_skippable_internal_keys = kSkippedMax;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator(walk));
  uint64_t counted = 0;
  for (at->Seek(SliceOf(begin)); at->Valid() && counted < kCountedMax; at->Next()) ++counted;
  if (!at->Valid() && at->status().ok()) return counted;

  const uint64_t keys = rocks_->Count(rocksdb::DB::Properties::kEstimateNumKeys);
  const uint64_t all = rocks_->Count(rocksdb::DB::Properties::kLiveSstFilesSize);
  const double share = all ? double(ApproximateBytes(begin, end)) / double(all) : 0;
  return std::max(counted, static_cast<uint64_t>(double(keys) * std::min(share, 1.0)));
}

uint64_t RocksStore::ApproximateBytes(std::string_view begin, std::string_view end) {
  if (begin >= end) return 0;
  const rocksdb::Range range(SliceOf(begin), SliceOf(end));
  rocksdb::SizeApproximationOptions how;
  how.files_size_error_margin = 0.1;
  uint64_t bytes = 0;
  (void)rocks_->db->GetApproximateSizes(how, rocks_->db->DefaultColumnFamily(), &range, 1, &bytes);
  return bytes;
}

double RocksStore::Fullness() const {
  // While RocksDB stands still, only an Apply can bring it back or say why not.
  if (!rocks_->setup.watcher->error().empty()) return 0;
  const auto share = [](uint64_t is, uint64_t most) { return double(is) / double(most); };
  return std::max(share(rocks_->Level0Files(), rocks_->options.level0_files_stall),
                  share(rocks_->Count(rocksdb::DB::Properties::kEstimatePendingCompactionBytes),
                        rocks_->options.pending_bytes_stall));
}

bool RocksStore::Stalled() const {
  return Fullness() >= 1;
}

std::vector<Table> RocksStore::Tables() const {
  std::vector<rocksdb::LiveFileMetaData> files;
  rocks_->db->GetLiveFilesMetaData(&files);
  std::vector<Table> tables;
  for (const rocksdb::LiveFileMetaData& file : files) {
    const size_t slash = file.name.find_first_not_of('/');
    tables.push_back(
        {file.name.substr(slash), file.level, file.size, file.num_entries, file.num_deletions});
  }
  return tables;
}

Status RocksStore::Verify() {
  const auto status = rocks_->db->VerifyChecksum();
  if (!status.ok()) return Fail(ErrorOf(status, rocks_->dir));
  return Ok();
}

Health RocksStore::health() const {
  using Properties = rocksdb::DB::Properties;
  Health health;
  health.level0_files = rocks_->Level0Files();
  health.pending_compaction_bytes = rocks_->Count(Properties::kEstimatePendingCompactionBytes);
  health.running_compactions = rocks_->Count(Properties::kNumRunningCompactions);
  health.block_cache_bytes = rocks_->setup.cache->GetUsage();
  health.table_bytes = rocks_->Count(Properties::kLiveSstFilesSize);
  health.run_bytes_written = rocks_->run_bytes;
  health.compact_bytes_written = rocks_->setup.watcher->bytes_written();
  health.error = rocks_->setup.watcher->error();
  return health;
}

void RocksStore::MergeAtOnce(bool at_once) {
  rocks_->merge_at_once = at_once;
}

Status RocksStore::CompactAll() {
  rocksdb::CompactRangeOptions how;
  how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const auto status = rocks_->db->CompactRange(how, nullptr, nullptr);
  if (!status.ok()) return Fail(ErrorOf(status, rocks_->dir));
  return Ok();
}

}  // namespace sluice::store
