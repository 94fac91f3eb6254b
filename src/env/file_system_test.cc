// What every FileSystem must do, the true one and the simulated one; and what the simulated one
// forgets.

#include "env/linux/file_system.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/prng.h"
#include "env/sim/world.h"

namespace sluice::env {
namespace {

class LinuxBench {
 public:
  LinuxBench() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice_env_XXXXXX").string();
    dir_ = ::mkdtemp(path.data());
  }
  ~LinuxBench() { std::filesystem::remove_all(dir_); }
  FileSystem& files() { return files_; }
  const std::string& dir() const { return dir_; }

 private:
  LinuxFileSystem files_;
  std::string dir_;
};

class SimBench {
 public:
  FileSystem& files() { return world_.files; }
  std::string dir() const { return "."; }

 private:
  SimWorld world_{1};
};

template <class Bench>
class FileSystemConformance : public testing::Test {
 protected:
  FileSystem& files() { return bench_.files(); }
  std::string Path(const std::string& name) { return bench_.dir() + "/" + name; }

  Bench bench_;
};

using Benches = testing::Types<LinuxBench, SimBench>;
TYPED_TEST_SUITE(FileSystemConformance, Benches);

// Goal:   a file holds what was written, wherever and in whatever pieces.
// Method: random writes, truncations and reads against a string; every third write is of whole
//         pages on page boundaries, which may take another way to the disk.
TYPED_TEST(FileSystemConformance, AFileIsAString) {
  auto opened = this->files().Open(this->Path("file"), OpenMode::kCreateNew);
  ASSERT_TRUE(opened.has_value());
  File& file = **opened;
  std::string model;
  Prng prng(3);
  const std::unique_ptr<char, decltype(&std::free)> room(
      static_cast<char*>(std::aligned_alloc(kPageBytes, 4 * kPageBytes)), &std::free);
  for (int i = 0; i < 500; ++i) {
    const bool pages = prng.OneIn(3);
    const uint64_t offset = pages ? prng.Below(5) * kPageBytes : prng.Below(20'000);
    if (prng.OneIn(10)) {
      ASSERT_TRUE(file.Truncate(offset).ok());
      model.resize(offset, '\0');
    } else {
      const size_t size = pages ? prng.Below(3) * kPageBytes : prng.Below(9000);
      const auto fill = static_cast<char>(prng());
      std::fill_n(room.get(), size, fill);
      const std::string_view bytes(room.get(), size);
      ASSERT_TRUE(file.WriteAt(offset, bytes).ok());
      if (!bytes.empty() && model.size() < offset + bytes.size()) {
        model.resize(offset + bytes.size(), '\0');
      }
      model.replace(std::min(offset, model.size()), bytes.size(), bytes);
    }
    if (prng.OneIn(5)) {
      ASSERT_TRUE(file.Sync().ok());
    }
    ASSERT_EQ(*file.Size(), model.size());
    const uint64_t from = prng.Below(25'000);
    std::string read(prng.Below(12'000), '?');
    const auto got = file.ReadAt(from, read.data(), read.size());
    ASSERT_TRUE(got.has_value());
    const std::string expected = from < model.size() ? model.substr(from, read.size()) : "";
    read.resize(*got);
    ASSERT_EQ(read, expected);
  }
}

// Goal:   names are made, listed, renamed and removed, and errors carry the code that callers ask.
TYPED_TEST(FileSystemConformance, NamesAndTheirErrors) {
  FileSystem& files = this->files();
  const std::string dir = this->Path("dir");
  EXPECT_EQ(files.List(dir).error().code, Code::kNotFound);
  ASSERT_TRUE(files.CreateDir(dir).ok());
  ASSERT_TRUE(files.CreateDir(dir).ok());
  EXPECT_EQ(files.Open(dir + "/b", OpenMode::kRead).error().code, Code::kNotFound);
  EXPECT_EQ(files.Open(dir + "/no/b", OpenMode::kCreateNew).error().code, Code::kNotFound);
  for (const char* name : {"b", "a", "c"}) {
    ASSERT_TRUE(files.Open(dir + "/" + name, OpenMode::kCreateNew).has_value());
  }
  EXPECT_EQ(files.Open(dir + "/b", OpenMode::kCreateNew).error().code, Code::kConflict);
  EXPECT_EQ(*files.List(dir), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(files.Rename(dir + "/a", dir + "/c").ok());
  EXPECT_EQ(*files.List(dir), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(files.Rename(dir + "/a", dir + "/d").error().code, Code::kNotFound);
  ASSERT_TRUE(files.Remove(dir + "/b").ok());
  EXPECT_EQ(files.Remove(dir + "/b").error().code, Code::kNotFound);
  EXPECT_TRUE(*files.Exists(dir + "/c"));
  EXPECT_FALSE(*files.Exists(dir + "/b"));
  EXPECT_TRUE(files.SyncDir(dir).ok());
  EXPECT_GT(*files.FreeBytes(dir), 0u);
}

// Goal:   whole files are read up to their bound, and replaced.
TYPED_TEST(FileSystemConformance, WholeFiles) {
  FileSystem& files = this->files();
  const std::string dir = this->Path("whole");
  ASSERT_TRUE(files.CreateDir(dir).ok());
  EXPECT_EQ(ReadFile(files, dir + "/f", 100).error().code, Code::kNotFound);
  for (const std::string& content : {std::string("one"), std::string(), std::string(100, 'x')}) {
    ASSERT_TRUE(ReplaceFile(files, dir, "f", content).ok());
    EXPECT_EQ(*ReadFile(files, dir + "/f", 100), content);
    EXPECT_EQ(*files.List(dir), std::vector<std::string>{"f"});
  }
  EXPECT_EQ(ReadFile(files, dir + "/f", 99).error().code, Code::kInvalid);
}

// Goal:   a replaced file is the old one or the new one, whole, wherever the power goes or a step
//         fails; and the new one once that was said.
// Method: every step cut, and failed with either code, under many seeds.
// Broken: without the Sync of the temporary file, or the SyncDir.
TEST(SimFileSystem, ReplaceFileIsAllOrNothing) {
  const std::string old_content(5000, 'o'), new_content(9000, 'n');
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    for (int fault = 0; fault < 3; ++fault) {
      for (uint64_t step = 1; step <= 6; ++step) {
        SimWorld world(seed);
        ASSERT_TRUE(ReplaceFile(world.files, ".", "f", old_content).ok());
        if (fault == 0) world.files.CutPowerAt(step);
        if (fault == 1) world.files.FailAt(step, Code::kIo);
        if (fault == 2) world.files.FailAt(step, Code::kNoSpace);
        const bool said = ReplaceFile(world.files, ".", "f", new_content).ok();
        world.files.CutPower();
        world.files.Restart();
        const std::string now = *ReadFile(world.files, "./f", 10'000);
        if (said) {
          ASSERT_EQ(now, new_content);
        } else {
          ASSERT_TRUE(now == old_content || now == new_content) << "torn at step " << step;
        }
        ASSERT_TRUE(ReplaceFile(world.files, ".", "f", "third").ok());
      }
    }
  }
}

// Goal:   a power cut keeps what was synced, and each fate of what was not comes up.
// Method: many seeds; two unsynced pages, of which each is old, new or garbled in the end.
TEST(SimFileSystem, APowerCutForgetsWhatWasNotSynced) {
  std::set<std::string> fates;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SimWorld world(seed);
    auto file = world.files.Open("./f", OpenMode::kCreateNew);
    ASSERT_TRUE(file.has_value());
    constexpr size_t kPage = SimFileSystem::kPageBytes;
    ASSERT_TRUE((*file)->WriteAt(0, std::string(4 * kPage, 'o')).ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE(world.files.SyncDir(".").ok());
    ASSERT_TRUE((*file)->WriteAt(kPage, std::string(2 * kPage, 'n')).ok());
    world.files.CutPower();
    EXPECT_EQ((*file)->WriteAt(0, "x").error().code, Code::kIo);
    world.files.Restart();
    EXPECT_EQ((*file)->WriteAt(0, "x").error().code, Code::kIo) << "opened before the restart";
    const std::string now = *ReadFile(world.files, "./f", 4 * kPage);
    ASSERT_EQ(now.size(), 4 * kPage);
    ASSERT_EQ(now.substr(0, kPage), std::string(kPage, 'o'));
    ASSERT_EQ(now.substr(3 * kPage), std::string(kPage, 'o'));
    std::string fate;
    for (const size_t page : {1, 2}) {
      const std::string bytes = now.substr(page * kPage, kPage);
      fate += bytes == std::string(kPage, 'o') ? "o" : bytes == std::string(kPage, 'n') ? "n" : "g";
    }
    fates.insert(fate);
  }
  EXPECT_EQ(fates.size(), 9u);
}

// Goal:   after a failed sync the page cache lies: content reads back, a second sync says yes, and
//         the power cut shows what was lost.
TEST(SimFileSystem, AFailedSyncCannotBeMadeGood) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimWorld world(seed);
    ASSERT_TRUE(ReplaceFile(world.files, ".", "f", "old").ok());
    auto file = world.files.Open("./f", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->WriteAt(0, "new").ok());
    world.files.FailAt(1, Code::kIo);
    ASSERT_FALSE((*file)->Sync().ok());
    world.files.RestartProcess();
    EXPECT_EQ(*ReadFile(world.files, "./f", 10), "new");
    file = world.files.Open("./f", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->Sync().ok());
    world.files.CutPower();
    world.files.Restart();
    lost += *ReadFile(world.files, "./f", 10) == "old";
  }
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 40);
}

// Goal:   a file grows as far as there is room, what is there can be written again, and room that
//         comes back is room.
TEST(SimFileSystem, RunsOutOfRoom) {
  SimWorld world(1);
  const auto file = world.files.Open("f", OpenMode::kCreateNew);
  ASSERT_TRUE((*file)->WriteAt(0, "12345").ok());
  world.files.SetRoom(3);
  EXPECT_EQ((*file)->WriteAt(4, "abcdef").error().code, Code::kNoSpace);
  EXPECT_EQ(world.files.Content("f"), "1234abcd");  // as far as it went
  EXPECT_TRUE((*file)->WriteAt(0, "ABCDEFGH").ok());
  EXPECT_EQ((*file)->WriteAt(8, "i").error().code, Code::kNoSpace);
  world.files.SetFull(false);
  EXPECT_TRUE((*file)->WriteAt(8, "i").ok());
}

// Goal:   what other threads do while a call waits happens before it; a power cut among that is
//         met by the call as well.
TEST(SimFileSystem, OthersActWhileACallWaits) {
  SimWorld world(1);
  const auto one = world.files.Open("one", OpenMode::kCreateNew);
  const auto other = world.files.Open("other", OpenMode::kCreateNew);
  ASSERT_TRUE(world.files.SyncDir(".").ok());
  bool cut = false;
  world.files.OnStep([&](SimStep kind, const std::string& path) {
    if (kind != SimStep::kSync || path != "one") return;
    EXPECT_TRUE((*other)->WriteAt(0, "meanwhile").ok());
    if (cut) world.files.CutPower();
  });
  ASSERT_TRUE((*one)->Sync().ok());
  EXPECT_EQ(world.files.Content("other"), "meanwhile");
  cut = true;
  EXPECT_FALSE((*one)->Sync().ok());
  EXPECT_FALSE(world.files.powered());
}

// Goal:   the same seed and the same calls give the same disk.
TEST(SimFileSystem, RepeatsItself) {
  const auto run = [](uint64_t seed) {
    SimWorld world(seed);
    Prng prng(seed);
    std::map<std::string, std::string> disk;
    for (int i = 0; i < 50; ++i) {
      const std::string name = "./" + std::to_string(prng.Below(5));
      auto file = world.files.Open(name, OpenMode::kCreateNew);
      if (!file.has_value()) file = world.files.Open(name, OpenMode::kReadWrite);
      EXPECT_TRUE((*file)->WriteAt(prng.Below(9000), std::string(prng.Below(9000), 'x')).ok());
      if (prng.OneIn(3)) {
        EXPECT_TRUE((*file)->Sync().ok());
      }
      if (prng.OneIn(5)) {
        EXPECT_TRUE(world.files.SyncDir(".").ok());
      }
      if (prng.OneIn(7)) world.files.CutPower(), world.files.Restart();
    }
    for (const std::string& path : world.files.Paths()) disk[path] = world.files.Content(path);
    return disk;
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(run(seed), run(seed));
}

}  // namespace
}  // namespace sluice::env
