// What a group costs the disk: writes, syncs and bytes. The same on every machine.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "env/sim/world.h"
#include "log/committer.h"
#include "log/file_log.h"

namespace sluice::log {
namespace {

struct DiskCounts {
  uint64_t writes = 0, bytes = 0, syncs = 0;
};

class CountedFile final : public env::File {
 public:
  CountedFile(std::unique_ptr<env::File> file, DiskCounts& counts)
      : file_(std::move(file)), counts_(counts) {}
  Status WriteAt(uint64_t offset, std::string_view bytes) override {
    ++counts_.writes;
    counts_.bytes += bytes.size();
    return file_->WriteAt(offset, bytes);
  }
  Result<size_t> ReadAt(uint64_t offset, char* to, size_t size) override {
    return file_->ReadAt(offset, to, size);
  }
  Status Sync() override {
    ++counts_.syncs;
    return file_->Sync();
  }
  Result<uint64_t> Size() override { return file_->Size(); }
  Status Truncate(uint64_t size) override { return file_->Truncate(size); }

 private:
  std::unique_ptr<env::File> file_;
  DiskCounts& counts_;
};

class CountedFiles final : public env::FileSystem {
 public:
  explicit CountedFiles(env::FileSystem& files) : files_(files) {}
  DiskCounts counts;

  Result<std::unique_ptr<env::File>> Open(const std::string& path, env::OpenMode mode) override {
    SLUICE_ASSIGN(std::unique_ptr<env::File> file, files_.Open(path, mode));
    return std::make_unique<CountedFile>(std::move(file), counts);
  }
  Status CreateDir(const std::string& path) override { return files_.CreateDir(path); }
  Result<std::vector<std::string>> List(const std::string& dir) override {
    return files_.List(dir);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status SyncDir(const std::string& dir) override { return files_.SyncDir(dir); }
  Result<bool> Exists(const std::string& path) override { return files_.Exists(path); }
  Result<uint64_t> FreeBytes(const std::string& dir) override { return files_.FreeBytes(dir); }

 private:
  env::FileSystem& files_;
};

// Goal:   a group is one write and one sync, whatever it holds, and takes less than a page more
//         than its records.
// Method: groups of one batch and of sixteen, small and large, counted at the disk.
TEST(Counts, AGroupIsOneWriteAndOneSync) {
  constexpr uint64_t kGroups = 100;
  constexpr size_t kRecordBytes = 140;  // about what a SET of 100 bytes makes
  constexpr uint64_t kPage = 4096;
  for (const auto& [batches, records] :
       {std::pair{1, 1}, std::pair{1, 64}, std::pair{16, 4}, std::pair{16, 64}}) {
    env::SimWorld world(1);
    CountedFiles files(world.files);
    auto opened = FileLog::Open({world.clock, files, world.entropy}, "log", {}, {});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    Committer committer(*opened->log, world.clock, {}, {});
    const std::string bytes(kRecordBytes * records, 'r');
    const ShardSpan span{model::ShardId(1), model::Epoch(1), model::Lineage(1), model::ShardSeq(0),
                         static_cast<uint32_t>(records)};
    files.counts = {};
    for (uint64_t group = 0; group < kGroups; ++group) {
      for (int batch = 0; batch < batches; ++batch) {
        const auto placed = committer.Append({.bytes = bytes,
                                              .records = static_cast<uint32_t>(records),
                                              .time = model::LogTime::OfMs(1000 + group),
                                              .shards = {&span, 1}});
        ASSERT_TRUE(placed.has_value());
      }
      committer.Pump();
    }
    ASSERT_EQ(committer.durable(), committer.appended());
    EXPECT_EQ(files.counts.writes, kGroups);
    EXPECT_EQ(files.counts.syncs, kGroups);
    const uint64_t payload = kGroups * bytes.size() * batches;
    EXPECT_GE(files.counts.bytes, payload);
    EXPECT_LE(files.counts.bytes, payload + kGroups * kPage) << batches << " x " << records;
  }
}

}  // namespace
}  // namespace sluice::log
