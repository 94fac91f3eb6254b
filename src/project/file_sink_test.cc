#include "project/file_sink.h"

#include <gtest/gtest.h>

#include "env/sim/world.h"
#include "project/conformance_test.h"

namespace sluice::project {
namespace {

// What a reader of the archive makes of it.
Rows ReadArchive(env::FileSystem& files, const std::string& dir) {
  Rows rows;
  const std::vector<std::string> names = files.List(dir).value();
  for (const std::string& name : names) {
    if (!name.ends_with(".ndjson")) continue;
    const std::string text = env::ReadFile(files, dir + "/" + name, 1 << 30).value();
    ArchiveMark mark;
    const size_t whole = WholeBatches(text, &mark);
    for (size_t at = 0; at < whole;) {
      const size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      Change change;
      if (!ReadArchiveLine(line, &mark)) {
        EXPECT_TRUE(ReadArchiveLine(line, &change)) << line;
        ApplyChange(change, rows);
      }
      at = end + 1;
    }
  }
  return rows;
}

class MemoryBench {
 public:
  MemoryBench() { Reopen(); }
  Sink& sink() { return *sink_; }
  void Reopen() { sink_ = std::make_unique<MemorySink>(medium_); }
  Rows rows() { return medium_->rows; }

 private:
  std::shared_ptr<MemorySink::Medium> medium_ = std::make_shared<MemorySink::Medium>();
  std::unique_ptr<MemorySink> sink_;
};

// Every batch ends a file, or none does.
template <uint64_t kBytes>
class FileBench {
 public:
  FileBench() { Reopen(); }
  Sink& sink() { return *sink_; }
  void Reopen() { sink_ = std::make_unique<FileSink>(world_.files, "archive", "likes", kBytes); }
  Rows rows() { return ReadArchive(world_.files, "archive"); }

 private:
  env::SimWorld world_{1};
  std::unique_ptr<FileSink> sink_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, SinkConformance, MemoryBench);
INSTANTIATE_TYPED_TEST_SUITE_P(File, SinkConformance, FileBench<kFileBytes>);
INSTANTIATE_TYPED_TEST_SUITE_P(SmallFiles, SinkConformance, FileBench<1>);

// Goal:   lines say any bytes, and are read back as they were.
// Method: random changes with bytes of all kinds, and text that JSON escapes.
TEST(FileSink, LinesAreReadBack) {
  Prng prng(1);
  const auto bytes = [&] {
    std::string text;
    for (uint64_t i = prng.Below(9); i > 0; --i) {
      text += prng.OneIn(2) ? std::string(1, static_cast<char>(prng())) : std::string("é\"\\\n");
    }
    return text;
  };
  for (int i = 0; i < 20'000; ++i) {
    Change change;
    change.kind = static_cast<Change::Kind>(prng.Below(4));
    change.key = bytes();
    change.writes = prng.Below(9);
    change.time_ms = prng();
    change.last.seq = model::ShardSeq(prng());
    if (change.kind == Change::Kind::kValue) change.value = bytes();
    if (change.kind == Change::Kind::kFields) {
      change.whole = prng.OneIn(2);
      for (uint64_t n = prng.Below(4); n > 0; --n) {
        change.fields.push_back({bytes(), prng.OneIn(3) ? std::nullopt : std::optional(bytes())});
      }
    }
    const std::string line = ArchiveLine(change);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    Change again;
    ASSERT_TRUE(ReadArchiveLine(std::string_view(line).substr(0, line.size() - 1), &again)) << line;
    ASSERT_EQ(ArchiveLine(again), line);
    ASSERT_EQ(again.key, change.key);
    ASSERT_EQ(again.value, change.value);
    ASSERT_EQ(again.fields.size(), change.fields.size());
    for (size_t f = 0; f < change.fields.size(); ++f) {
      ASSERT_EQ(again.fields[f].name, change.fields[f].name);
      ASSERT_EQ(again.fields[f].value, change.fields[f].value);
    }
  }
}

// Goal:   after a power cut at any step, the archive holds exactly the batches up to its position,
//         and goes on from there.
// Method: batches that are larger than a page, files that end often; the power fails at each step
//         of the whole, the disk keeps, loses or garbles what was not synced.
// Broken: without PadToPage, a torn page takes the mark of the batch before with it.
TEST(FileSink, AnyPowerCutLeavesWholeBatches) {
  for (uint64_t step = 1; step < 120; ++step) {
    env::SimWorld world(step);
    world.files.CutPowerAt(step);
    std::map<uint64_t, Rows> after;  // by position
    Rows rows;
    after[0] = {};
    uint64_t written = 0;
    Prng prng(step);
    const auto make = [&](uint64_t seq) {
      Prng content(seq);
      Batch batch;
      if (seq > 1) batch.from = At({{5, seq - 1}});
      batch.to = At({{5, seq}});
      for (int i = 0; i < 20; ++i) {
        batch.changes.push_back(
            ValueChange(std::to_string(content.Below(50)) + "x" + std::to_string(i),
                        std::string(1000, static_cast<char>('a' + seq % 26))));
      }
      return batch;
    };
    uint64_t acknowledged = 0;
    FileSink sink(world.files, "archive", "likes", 60'000);
    if (sink.Open(1).has_value()) {
      for (uint64_t seq = 1; seq <= 12; ++seq) {
        const Batch batch = make(seq);
        for (const Change& change : batch.changes) ApplyChange(change, rows);
        after[seq] = rows;
        written = seq;
        if (!sink.Write(batch).ok()) break;
        acknowledged = seq;
      }
    }
    world.files.Restart();
    FileSink again(world.files, "archive", "likes", 60'000);
    auto opened = again.Open(2);
    ASSERT_TRUE(opened.has_value()) << step << ": " << opened.error().message;
    uint64_t at = opened->empty() ? 0 : opened->front().seq.value;
    ASSERT_GE(at, acknowledged) << step;
    ASSERT_LE(at, written) << step;
    ASSERT_EQ(ReadArchive(world.files, "archive"), after[at]) << step;
    ASSERT_TRUE(again.Write(make(++at)).ok()) << step;
  }
}

// Goal:   a power cut at any step of a rebuild leaves an archive up to some position, the one that
//         it says; or the new one.
// Method: an archive of many files is begun anew, and the power fails at each step of that.
// Broken: files removed in the order of their names, or synced once at the end.
TEST(FileSink, AnyPowerCutOfARebuildLeavesAnArchive) {
  for (uint64_t step = 1; step < 80; ++step) {
    env::SimWorld world(step);
    std::map<uint64_t, Rows> after;  // by position
    Rows rows;
    after[0] = {};
    {
      FileSink sink(world.files, "archive", "likes", 10'000);
      ASSERT_TRUE(sink.Open(1).has_value());
      for (uint64_t seq = 1; seq <= 12; ++seq) {
        Batch batch;
        if (seq > 1) batch.from = At({{5, seq - 1}});
        batch.to = At({{5, seq}});
        batch.changes.push_back(ValueChange(std::to_string(seq), std::string(6'000, 'x')));
        for (const Change& change : batch.changes) ApplyChange(change, rows);
        after[seq] = rows;
        ASSERT_TRUE(sink.Write(batch).ok());
      }
      Batch anew;
      anew.anew = true;
      anew.to = At({{5, 100}});
      anew.changes.push_back(ValueChange("7", "new"));
      ApplyChange(anew.changes[0], after[100]);
      world.files.CutPowerAt(step);
      static_cast<void>(sink.Write(anew));
    }
    world.files.Restart();
    FileSink again(world.files, "archive", "likes", 10'000);
    const auto opened = again.Open(2);
    ASSERT_TRUE(opened.has_value()) << step << ": " << opened.error().message;
    const uint64_t at = opened->empty() ? 0 : opened->front().seq.value;
    ASSERT_TRUE(after.contains(at)) << step << ": " << at;
    ASSERT_EQ(ReadArchive(world.files, "archive"), after[at]) << step << ", at " << at;
  }
}

// Goal:   directories that are not the projection's are left alone.
TEST(FileSink, RefusesWhatIsNotIts) {
  env::SimWorld world(1);
  FileSink likes(world.files, "archive", "likes"), other(world.files, "archive", "other");
  ASSERT_TRUE(likes.Open(1).has_value());
  const auto opened = other.Open(1);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kInvalid);
  FileSink nowhere(world.files, "no/such/dir", "likes");
  EXPECT_EQ(nowhere.Open(1).error().code, Code::kInvalid);
  ASSERT_TRUE(
      env::ReplaceFile(world.files, "archive", "00000000000000000009.ndjson", "hello\n").ok());
  EXPECT_EQ(likes.Open(1).error().code, Code::kInvalid);
}

// Goal:   a full disk and a failing one never end in a half batch.
// Method: each step of a write fails, once for each reason; then it is tried again.
TEST(FileSink, LivesThroughFailures) {
  for (const Code code : {Code::kNoSpace, Code::kIo}) {
    for (uint64_t step = 1; step < 12; ++step) {
      env::SimWorld world(step);
      FileSink sink(world.files, "archive", "likes", 1);
      ASSERT_TRUE(sink.Open(1).has_value());
      world.files.FailAt(step, code);
      Rows rows;
      for (uint64_t seq = 1; seq <= 3;) {
        Batch batch;
        if (seq > 1) batch.from = At({{5, seq - 1}});
        batch.to = At({{5, seq}});
        batch.changes = {ValueChange(std::to_string(seq), std::string(9'000, 'x'))};
        const Status written = sink.Write(batch);
        if (!written.ok()) {
          auto opened = sink.Open(1);
          if (!opened.has_value()) opened = sink.Open(1);
          ASSERT_TRUE(opened.has_value()) << step << ": " << opened.error().message;
          const uint64_t at = opened->empty() ? 0 : opened->front().seq.value;
          ASSERT_TRUE(at == seq - 1 || at == seq) << step;
          if (at != seq) continue;
        }
        ApplyChange(batch.changes[0], rows);
        ASSERT_EQ(ReadArchive(world.files, "archive"), rows) << step;
        ++seq;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::project
