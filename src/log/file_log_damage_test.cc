// A damaged log is recovered whole or refused with the reason; never silently wrong.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/sim/world.h"
#include "log/file_log.h"
#include "log/format.h"
#include "log/kit_test.h"
#include "log/recovery.h"

namespace sluice::log {
namespace {

constexpr uint64_t kUnusedStride = 61;  // how densely what holds nothing is swept

// How a log was left; what may be missing of it after damage.
enum class Ending { kUnwitnessed, kWitnessed, kCleanStop };

using Disk = std::map<std::string, std::string>;

struct Sample {
  Disk disk;
  std::vector<OwnGroup> groups;
  Ending ending;
};

Disk Snapshot(const env::SimFileSystem& files) {
  Disk disk;
  for (const std::string& path : files.Paths()) disk[path] = files.Content(path);
  return disk;
}

void Load(env::SimWorld& world, const Disk& disk) {
  ASSERT_TRUE(world.files.CreateDir("log").ok());
  ASSERT_TRUE(world.files.SyncDir(".").ok());
  for (const auto& [path, content] : disk) world.files.Overwrite(path, content);
}

// Two segments of a few groups each; the first with a restart in it, so with a superseded tail.
Sample MakeSample(Ending ending) {
  env::SimWorld world(5);
  Prng prng(5);
  Sample sample;
  sample.ending = ending;
  std::unique_ptr<FileLog> log;
  for (int life = 0; life < 2; ++life) {
    auto opened = OpenSmall(world.env(), "log");
    EXPECT_TRUE(opened.has_value());
    log = std::move(opened->log);
    EXPECT_TRUE(log->Seal(log->term().Next()).ok());
    for (int i = 0; i < 3; ++i) {
      sample.groups.push_back(RandomGroup(prng, log->next(), log->term(), i == 1 ? 6000 : 900));
      EXPECT_TRUE(AppendTo(*log, sample.groups.back()).ok());
    }
  }
  if (ending != Ending::kUnwitnessed) {
    EXPECT_TRUE(AppendMark(*log, kGroupWitness).ok());
  }
  if (ending == Ending::kCleanStop) {
    EXPECT_TRUE(AppendMark(*log, kGroupCleanStop).ok());
  }
  sample.disk = Snapshot(world.files);
  return sample;
}

std::vector<uint64_t> Segments(const Disk& disk) {
  std::vector<uint64_t> numbers;
  for (const auto& [path, content] : disk) {
    if (const auto number = NumberOf(path.substr(4), kSegmentSuffix)) numbers.push_back(*number);
  }
  return numbers;
}

enum class Outcome { kWhole, kLastCut, kRefused };

// Opens a damaged copy of the sample and demands that it is refused, unchanged and with a reason,
// or holds the right groups.
Outcome Open(const Sample& sample, const Disk& damaged, model::Lsn witness = model::Lsn(0)) {
  env::SimWorld world(6);
  Load(world, damaged);
  auto opened = OpenSmall(world.env(), "log", witness);
  if (!opened.has_value()) {
    EXPECT_TRUE(opened.error().code == Code::kCorrupt || opened.error().code == Code::kInvalid);
    EXPECT_NE(opened.error().message.find("log"), std::string::npos);
    EXPECT_EQ(Snapshot(world.files), damaged) << "a refusal changed the disk";
    return Outcome::kRefused;
  }
  const std::vector<OwnGroup> read = ReadGroups(*opened->log, model::Lsn(1));
  if (read == sample.groups) return Outcome::kWhole;
  std::vector<OwnGroup> without_last = sample.groups;
  without_last.pop_back();
  EXPECT_EQ(read, without_last);
  EXPECT_EQ(sample.ending, Ending::kUnwitnessed) << "a witnessed group was cut";
  EXPECT_LT(witness, sample.groups.back().last());
  EXPECT_GT(opened->report.cut_bytes, 0u);
  EXPECT_FALSE(opened->report.cut_reason.empty());
  return Outcome::kLastCut;
}

// What recovery says of a disk with damage in one segment, without opening the log.
Outcome Judge(env::SimWorld& world, const Sample& sample, uint64_t segment) {
  const auto recovered =
      Recover(world.files, "log", Segments(sample.disk), model::Lsn(0), model::Lsn(0));
  if (!recovered.has_value()) {
    EXPECT_EQ(recovered.error().code, Code::kCorrupt);
    EXPECT_NE(recovered.error().message.find(SegmentName(segment)), std::string::npos);
    return Outcome::kRefused;
  }
  if (recovered->report.next == sample.groups.back().last().Next()) return Outcome::kWhole;
  EXPECT_EQ(recovered->report.next, sample.groups.back().first);
  EXPECT_EQ(sample.ending, Ending::kUnwitnessed) << "a witnessed group was cut";
  EXPECT_GT(recovered->report.cut_bytes, 0u);
  return Outcome::kLastCut;
}

// End of the pages of a segment that are not all zeroes.
uint64_t UsedEnd(const std::string& content) {
  return RoundUpToPage(content.find_last_not_of('\0') + 1);
}

// Which bytes of a segment mean something: the header page and the groups, not their padding.
std::vector<bool> UsedBytes(const std::string& content) {
  std::vector<bool> used(content.size());
  std::fill_n(used.begin(), kSegmentHeaderBytes, true);
  const uint64_t salt = DecodeSegmentHeader(content)->salt;
  for (uint64_t at = kSegmentHeaderBytes; at < content.size(); at += kPageBytes) {
    GroupHeader header;
    if (!DecodeGroupHeader(std::string_view(content).substr(at), salt, &header)) continue;
    std::fill_n(used.begin() + static_cast<ptrdiff_t>(at), header.bytes, true);
  }
  return used;
}

// Goal:   no flipped byte goes unnoticed where it matters.
// Method: every byte that means something flipped, and a sweep of those that do not, for each way
//         to leave a log. Only some are opened and read back; of the others recovery's judgement
//         is heard.
// Broken: if recovery cut the log at the first bad group without looking for witnesses.
TEST(FileLogDamage, EveryFlippedByteIsHarmlessOrRefused) {
  for (const Ending ending : {Ending::kUnwitnessed, Ending::kWitnessed, Ending::kCleanStop}) {
    const Sample sample = MakeSample(ending);
    ASSERT_EQ(Open(sample, sample.disk), Outcome::kWhole);
    std::map<Outcome, int> outcomes;
    env::SimWorld world(7);
    Load(world, sample.disk);
    for (const uint64_t number : Segments(sample.disk)) {
      const std::string path = "log/" + SegmentName(number);
      const std::string& content = sample.disk.at(path);
      const std::vector<bool> used = UsedBytes(content);
      for (uint64_t at = 0; at < content.size(); ++at) {
        if (!used[at] && at % kUnusedStride != 0) continue;
        SCOPED_TRACE(testing::Message() << path << ", offset " << at);
        std::string flipped = content;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
        world.files.Overwrite(path, flipped);
        if (at % kUnusedStride == 0) {
          Disk damaged = sample.disk;
          damaged[path] = flipped;
          ++outcomes[Open(sample, damaged)];
        } else {
          ++outcomes[Judge(world, sample, number)];
        }
        if (testing::Test::HasFailure()) return;
      }
      world.files.Overwrite(path, content);
    }
    EXPECT_GT(outcomes[Outcome::kWhole], 1000);  // padding and zeroes
    EXPECT_GT(outcomes[Outcome::kRefused], 8000);
    EXPECT_EQ(outcomes[Outcome::kLastCut] > 100, ending == Ending::kUnwitnessed);
  }
}

// Goal:   what was applied outside speaks for the log's last group.
// Method: the last group of an unwitnessed log flipped, with every witness there can be.
TEST(FileLogDamage, AnOutsideWitnessForbidsTheCut) {
  const Sample sample = MakeSample(Ending::kUnwitnessed);
  const std::string path = "log/" + SegmentName(Segments(sample.disk).back());
  Disk damaged = sample.disk;
  damaged[path][UsedEnd(damaged[path]) - kPageBytes + 100] ^= 1;  // inside the last group
  const model::Lsn last_kept(sample.groups.back().first.value - 1);
  for (uint64_t witness = 0; witness <= sample.groups.back().last().value + 2; ++witness) {
    const Outcome outcome = Open(sample, damaged, model::Lsn(witness));
    EXPECT_EQ(outcome, witness <= last_kept.value ? Outcome::kLastCut : Outcome::kRefused);
  }
  EXPECT_EQ(Open(sample, {}, model::Lsn(1)), Outcome::kRefused);  // the whole log is gone
}

// Goal:   a shortened, lengthened or missing file is never taken for a shorter log.
// Method: every length of each segment by pages and some beside (with --long, all of them); each
//         segment removed.
TEST(FileLogDamage, EveryTruncationIsRefused) {
  const uint64_t stride = std::getenv("SLUICE_LONG") != nullptr ? 1 : kUnusedStride;
  for (const Ending ending : {Ending::kUnwitnessed, Ending::kCleanStop}) {
    const Sample sample = MakeSample(ending);
    const std::vector<uint64_t> segments = Segments(sample.disk);
    ASSERT_EQ(segments.size(), 2u);
    for (const uint64_t number : segments) {
      const std::string path = "log/" + SegmentName(number);
      for (uint64_t length = 0; length < kSmallSegment; ++length) {
        if (length % kPageBytes > 2 && length % stride != 0) continue;
        Disk damaged = sample.disk;
        damaged[path].resize(length);
        ASSERT_EQ(Open(sample, damaged), Outcome::kRefused) << path << " cut to " << length;
      }
      Disk longer = sample.disk;
      longer[path].resize(kSmallSegment + 1);
      EXPECT_EQ(Open(sample, longer), Outcome::kRefused);
    }
    Disk without_last = sample.disk;
    without_last.erase("log/" + SegmentName(segments.back()));
    EXPECT_EQ(Open(sample, without_last, sample.groups.back().last()), Outcome::kRefused);
  }
}

// Goal:   a missing segment is not passed over: the log is refused, or begins behind it.
// Method: a log of many segments without each of them. Without the first it is a trimmed log, of
//         which the store's positions say whether it is enough (ingest/recovery.h).
TEST(FileLogDamage, AMissingSegmentIsNotPassedOver) {
  env::SimWorld world(8);
  Prng prng(8);
  auto opened = OpenSmall(world.env(), "log");
  ASSERT_TRUE(opened.has_value());
  std::vector<OwnGroup> groups;
  while (opened->log->bytes() < 6 * kSmallSegment) {
    groups.push_back(RandomGroup(prng, opened->log->next(), opened->log->term(), 20'000));
    ASSERT_TRUE(AppendTo(*opened->log, groups.back()).ok());
  }
  const Disk whole = Snapshot(world.files);
  const std::vector<uint64_t> segments = Segments(whole);
  ASSERT_GE(segments.size(), 5u);
  for (const uint64_t missing : segments) {
    SCOPED_TRACE(testing::Message() << "without segment " << missing);
    Disk damaged = whole;
    damaged.erase("log/" + SegmentName(missing));
    env::SimWorld after(9);
    Load(after, damaged);
    const auto again = OpenSmall(after.env(), "log", groups.back().last());
    if (missing == segments.front()) {
      ASSERT_TRUE(again.has_value()) << again.error().message;
      const std::vector<OwnGroup> read = ReadGroups(*again->log, again->log->first());
      ASSERT_LT(read.size(), groups.size());
      EXPECT_EQ(again->log->first(), read.front().first);
      EXPECT_TRUE(std::equal(read.rbegin(), read.rend(), groups.rbegin()));
    } else {
      ASSERT_FALSE(again.has_value());
      EXPECT_EQ(again.error().code, Code::kCorrupt) << again.error().message;
      EXPECT_EQ(Snapshot(after.files), damaged);
    }
  }
}

// Goal:   segments in the wrong place, or of another log, are refused.
// Method: swapped, copied over one another, and mixed with a log of another identity.
TEST(FileLogDamage, MisplacedSegmentsAreRefused) {
  const Sample sample = MakeSample(Ending::kWitnessed);
  const std::vector<uint64_t> segments = Segments(sample.disk);
  const std::string first = "log/" + SegmentName(segments[0]);
  const std::string second = "log/" + SegmentName(segments[1]);
  Disk swapped = sample.disk;
  std::swap(swapped[first], swapped[second]);
  EXPECT_EQ(Open(sample, swapped), Outcome::kRefused);
  Disk doubled = sample.disk;
  doubled["log/" + SegmentName(segments[1] + 1)] = doubled[second];
  EXPECT_EQ(Open(sample, doubled), Outcome::kRefused);

  env::SimWorld other(77);
  { ASSERT_TRUE(OpenSmall(other.env(), "log").has_value()); }
  Disk mixed = sample.disk;
  for (const auto& [path, content] : Snapshot(other.files)) mixed[path] = content;
  EXPECT_EQ(Open(sample, mixed), Outcome::kRefused);
}

// Goal:   a group written twice or at the wrong place (a misdirected write) is noticed.
// Method: every page of groups copied over every other page of its segment.
TEST(FileLogDamage, MisplacedPagesAreHarmlessOrRefused) {
  for (const Ending ending : {Ending::kUnwitnessed, Ending::kWitnessed}) {
    const Sample sample = MakeSample(ending);
    for (const uint64_t number : Segments(sample.disk)) {
      const std::string path = "log/" + SegmentName(number);
      const std::string& content = sample.disk.at(path);
      for (uint64_t from = 0; from < UsedEnd(content); from += kPageBytes) {
        for (uint64_t to = 0; to < content.size(); to += kPageBytes) {
          SCOPED_TRACE(testing::Message() << path << ": " << from << " over " << to);
          Disk damaged = sample.disk;
          damaged[path].replace(to, kPageBytes, content, from, kPageBytes);
          Open(sample, damaged);
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

// Goal:   a sound group that does not follow the last one is damage, not an end.
// Method: each group's first page copied to where the next group would be written.
TEST(FileLogDamage, AGroupThatDoesNotFollowIsRefused) {
  for (const Ending ending : {Ending::kUnwitnessed, Ending::kWitnessed, Ending::kCleanStop}) {
    const Sample sample = MakeSample(ending);
    const std::string path = "log/" + SegmentName(Segments(sample.disk).back());
    const std::string& content = sample.disk.at(path);
    const uint64_t salt = DecodeSegmentHeader(content)->salt;
    int groups = 0;
    for (uint64_t from = kPageBytes; from < UsedEnd(content); from += kPageBytes) {
      GroupHeader header;
      const std::string_view page = std::string_view(content).substr(from, kPageBytes);
      if (!DecodeGroupHeader(page, salt, &header)) continue;
      ++groups;
      Disk damaged = sample.disk;
      damaged[path].replace(UsedEnd(content), kPageBytes, page);
      EXPECT_EQ(Open(sample, damaged), Outcome::kRefused) << "group at " << from;
    }
    EXPECT_GE(groups, 4);
  }
}

// Goal:   what a recycled file held before is never read as part of its new segment.
// Method: write and trim until files are used again; then read all back after a power cut, with the
//         old content behind the tail; then put a whole old segment in the place of a new one.
TEST(FileLogDamage, RecycledContentStaysForgotten) {
  env::SimWorld world(9);
  Prng prng(9);
  auto opened = OpenSmall(world.env(), "log");
  ASSERT_TRUE(opened.has_value());
  std::map<uint64_t, std::string> old_segments;
  int recycled = 0;
  for (int i = 0; i < 300; ++i) {
    FileLog& log = *opened->log;
    ASSERT_TRUE(AppendTo(log, RandomGroup(prng, log.next(), log.term(), 3000)).ok());
    ASSERT_TRUE(log.Trim(log.next()).ok());
    const Disk disk = Snapshot(world.files);
    for (const uint64_t number : Segments(disk)) {
      const std::string& content = disk.at("log/" + SegmentName(number));
      const auto header = DecodeSegmentHeader(content);
      ASSERT_TRUE(header.has_value());
      recycled += header->recycled;
      old_segments[number] = content;
    }
    if (i % 7 != 6) continue;
    const std::vector<OwnGroup> before = ReadGroups(log, log.first());
    opened->log.reset();
    world.files.CutPower();
    world.files.Restart();
    opened = OpenSmall(world.env(), "log");
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    ASSERT_EQ(ReadGroups(*opened->log, opened->log->first()), before);
  }
  EXPECT_GT(recycled, 100);
  // An old segment under a new name, as if a rename had been undone.
  const uint64_t last = Segments(Snapshot(world.files)).back();
  opened->log.reset();
  for (const auto& [number, content] : old_segments) {
    if (number == last) continue;
    world.files.Overwrite("log/" + SegmentName(last), content);
    EXPECT_FALSE(OpenSmall(world.env(), "log").has_value()) << "segment " << number;
  }
}

// Goal:   files that are not ours, and formats that are newer, are named and left alone.
TEST(FileLogDamage, ForeignAndNewerFilesAreRefused) {
  const Sample sample = MakeSample(Ending::kCleanStop);
  for (const std::string name : {"notes.txt", "0001.seg", "000000000000000G.seg", "lost+found"}) {
    Disk disk = sample.disk;
    disk["log/" + name] = "hello";
    env::SimWorld world(1);
    Load(world, disk);
    const auto opened = OpenSmall(world.env(), "log");
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, Code::kInvalid);
    EXPECT_NE(opened.error().message.find(name), std::string::npos);
    EXPECT_EQ(Snapshot(world.files), disk);
  }
  // Leftovers of our own are cleared away.
  Disk disk = sample.disk;
  disk["log/00000000000000aa.tmp"] = "half";
  disk["log/00000000000000ab.spare"] = "of another size";
  EXPECT_EQ(Open(sample, disk), Outcome::kWhole);
}

// Goal:   a node refuses a log that is not its own.
TEST(FileLogDamage, AnotherLogIsRefused) {
  env::SimWorld world(1);
  { ASSERT_TRUE(OpenSmall(world.env(), "log").has_value()); }
  FileLogOptions options;
  options.segment_bytes = kSmallSegment;
  options.expected_id = model::LogId(12345);
  const Disk before = Snapshot(world.files);
  EXPECT_EQ(FileLog::Open(world.env(), "log", options, model::Lsn(0)).error().code, Code::kInvalid);
  EXPECT_EQ(Snapshot(world.files), before);
  EXPECT_EQ(FileLog::Open(world.env(), "empty", options, model::Lsn(0)).error().code,
            Code::kCorrupt);
}

}  // namespace
}  // namespace sluice::log
