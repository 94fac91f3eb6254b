#include "app/heat_files.h"

#include <gtest/gtest.h>

#include "env/sim/file_system.h"

namespace sluice::app {
namespace {

constexpr model::KeyspaceId kLikes(3);
constexpr std::string_view kPath = "data/heat/3.heat";
constexpr std::string_view kAside = "data/heat/3.heat.unreadable";

heat::History Known(double rate) {
  heat::History history({}, heat::History::Cuts::kFixed, 1);
  heat::Sample sample;
  sample.weight = rate;
  const heat::Sample* const samples[] = {&sample};
  for (uint64_t s = 0; s < 120; ++s) history.EndSecond(1'800'000'000 + s, samples);
  return history;
}

struct Disk {
  env::SimFileSystem files{5};
  Disk() { EXPECT_TRUE(files.CreateDir("data").ok()); }
  std::optional<heat::History> Read() { return HeatFiles(files, "data").Read(kLikes, 1); }
  void Write(const std::string& bytes) { HeatFiles(files, "data").Write(kLikes, bytes); }
};

// Goal:   what was written comes back; without a file there is nothing.
TEST(HeatFiles, KeepWhatWasWritten) {
  Disk disk;
  EXPECT_FALSE(disk.Read().has_value());
  const std::string bytes = Known(7).Encode();
  disk.Write(bytes);
  disk.files.CutPower();
  disk.files.Restart();
  std::optional<heat::History> again = disk.Read();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->Encode(), bytes);
}

// Goal:   a file that cannot be read is set aside, whole, and does not stop anything.
// Method: damage, a newer format, no file of ours, an empty one.
TEST(HeatFiles, SetAsideWhatCannotBeRead) {
  const std::string sound = Known(7).Encode();
  std::string damaged = sound, newer = sound;
  damaged[100] = static_cast<char>(damaged[100] ^ 1);
  newer[8] = 9;
  for (const std::string& bytes : {damaged, newer, std::string("hello"), std::string()}) {
    Disk disk;
    disk.Write(bytes);
    EXPECT_FALSE(disk.Read().has_value());
    EXPECT_EQ(*env::ReadFile(disk.files, std::string(kAside), 1 << 24), bytes);
    EXPECT_FALSE(*disk.files.Exists(std::string(kPath)));
    disk.Write(sound);
    EXPECT_TRUE(disk.Read().has_value());
  }
}

// Goal:   whatever goes wrong while it is written, the file is the old one or the new one.
// Method: each step fails, or the power is cut at it, until none does.
TEST(HeatFiles, AreReplacedAsAWhole) {
  const std::string before = Known(7).Encode(), after = Known(70).Encode();
  for (const bool cut : {false, true}) {
    for (uint64_t step = 1;; ++step) {
      ASSERT_LT(step, 100u);
      Disk disk;
      disk.Write(before);
      cut ? disk.files.CutPowerAt(step) : disk.files.FailAt(step, Code::kNoSpace);
      disk.Write(after);
      disk.files.Disarm();
      if (cut) disk.files.Restart();
      std::optional<heat::History> history = disk.Read();
      ASSERT_TRUE(history.has_value()) << step;
      const std::string now = history->Encode();
      ASSERT_TRUE(now == before || now == after) << step;
      if (now == after) break;
    }
  }
}

}  // namespace
}  // namespace sluice::app
