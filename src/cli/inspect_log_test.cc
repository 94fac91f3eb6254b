#include "cli/inspect_log.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "env/sim/world.h"
#include "log/file_log.h"

namespace sluice::cli {
namespace {

// A log of two lives, with three groups of one record each in the second.
void MakeLog(env::SimWorld& world) {
  for (int life = 0; life < 2; ++life) {
    log::FileLogOptions options;
    options.segment_bytes = log::kSegmentBytesLeast;
    auto opened = log::FileLog::Open(world.env(), "log", options, model::Lsn(0));
    ASSERT_TRUE(opened.has_value());
    log::FileLog& log = *opened->log;
    ASSERT_TRUE(log.Seal(log.term().Next()).ok());
    for (int i = 0; i < 3; ++i) {
      log::GroupBuffer buffer;
      buffer.AddBatch("record", 1, model::LogTime::OfMs(5));
      log::GroupToWrite group;
      group.first = log.next();
      group.records = 1;
      group.batches = buffer.batches();
      ASSERT_TRUE(log.Append(log.next(), log.term(), group).ok());
    }
    log::GroupToWrite stop;
    stop.first = log.next();
    stop.flags = log::kGroupCleanStop;
    ASSERT_TRUE(log.Append(log.next(), log.term(), stop).ok());
  }
}

std::map<std::string, std::string> Snapshot(const env::SimFileSystem& files) {
  std::map<std::string, std::string> disk;
  for (const std::string& path : files.Paths()) disk[path] = files.Content(path);
  return disk;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// Goal:   each segment and group is listed once, in every form, and nothing on disk changes.
TEST(InspectLog, ListsWhatIsThere) {
  env::SimWorld world(1);
  MakeLog(world);
  const auto before = Snapshot(world.files);
  for (const bool json : {false, true}) {
    for (const bool records : {false, true}) {
      std::ostringstream out;
      EXPECT_EQ(InspectLog(world.files, "log", {json, records}, out), 0);
      const std::string text = out.str();
      EXPECT_EQ(Count(text, json ? "{\"segment\":" : "segment "), 2u) << text;
      EXPECT_EQ(Count(text, json ? "\"first_lsn\":6," : "LSN 6 to 6 "), 1u) << text;
      EXPECT_EQ(Count(text, json ? "{\"batch\":" : "batch from LSN"), records ? 6u : 0u) << text;
      EXPECT_EQ(Count(text, "next LSN 7; stopped in order"), 1u) << text;
    }
  }
  EXPECT_EQ(Snapshot(world.files), before);
}

// Goal:   the first damage is named, with exit status 3, and nothing on disk changes.
// Method: a byte flipped in every page that holds a header or a group with something behind it.
TEST(InspectLog, NamesTheFirstDamage) {
  env::SimWorld world(1);
  MakeLog(world);
  const auto sound = Snapshot(world.files);
  for (const auto& [path, content] : sound) {
    // The superseded mark at the end of the first, the mark of the second: their loss is none.
    const size_t pages = content.find_last_not_of('\0') / log::kPageBytes;
    for (size_t page = 0; page < pages; ++page) {
      std::string damaged = content;
      damaged[page * log::kPageBytes + 50] ^= 1;
      world.files.Overwrite(path, damaged);
      std::ostringstream out;
      EXPECT_EQ(InspectLog(world.files, "log", {}, out), 3) << path << " page " << page;
      EXPECT_EQ(Count(out.str(), "DAMAGED: " + path), 1u) << out.str();
    }
    world.files.Overwrite(path, content);
  }
  std::ostringstream out;
  EXPECT_EQ(InspectLog(world.files, "nowhere", {}, out), 1);
}

}  // namespace
}  // namespace sluice::cli
