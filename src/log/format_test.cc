#include "log/format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "log/group_buffer.h"
#include "model/effect.h"

namespace sluice::log {
namespace {

// The worked example of docs/formats/log.md.
SegmentHeader ExampleSegment() {
  SegmentHeader header;
  header.number = 3;
  header.log_id = model::LogId(0x5c0ffee5c0ffee01);
  header.salt = 0x0123456789abcdef;
  header.bytes = 128 << 20;
  header.start = {model::Lsn(42), 0xfeedfacecafebeef};
  header.durable = model::Lsn(41);
  header.time = model::LogTime::OfMs(1'700'000'000'000);
  header.term = model::Term(2);
  return header;
}

std::string ExampleRecords() {
  model::Effect put;
  put.kind = model::EffectKind::kPutValue;
  put.keyspace = model::KeyspaceId(1);
  put.key = "user:7";
  put.value = "Ada";
  std::string effects, records;
  model::AppendEffect(effects, put);
  model::AppendRecord(records, model::ShardId(5), effects);
  model::Effect add;
  add.kind = model::EffectKind::kAddInt;
  add.keyspace = model::KeyspaceId(2);
  add.key = "likes:9";
  add.writes = 3;
  add.delta = 3;
  add.number = 10;
  effects.clear();
  model::AppendEffect(effects, add);
  model::AppendRecord(records, model::ShardId(5), effects);
  return records;
}

std::string ExampleGroup() {
  const SegmentHeader segment = ExampleSegment();
  GroupBuffer buffer;
  buffer.AddBatch(ExampleRecords(), 2, model::LogTime{segment.time.value + 1});
  const ShardSpan span{model::ShardId(5), model::Epoch(1), model::Lineage(0x77), model::ShardSeq(9),
                       2};
  GroupHeader header;
  header.records = 2;
  header.batches = 1;
  header.term = segment.term;
  header.log_id = segment.log_id;
  header.place = segment.start;
  header.durable = model::Lsn(41);
  header.time = model::LogTime{segment.time.value + 1};
  const std::string_view frame = buffer.Frame(header, {&span, 1}, segment.salt);
  return std::string(frame.substr(0, header.bytes));
}

// The bytes of the block of the document that begins with ```hex NAME: two digits each, anything
// after '#' is for people.
std::string DocumentedBytes(const std::string& name) {
  std::ifstream file("docs/formats/log.md");
  EXPECT_TRUE(file.good()) << "run from the root of the repository";
  std::string bytes, line;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line == "```hex " + name) {
      inside = true;
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      std::istringstream words(line.substr(0, line.find('#')));
      for (std::string word; words >> word;) {
        bytes += static_cast<char>(std::stoi(word, nullptr, 16));
      }
    }
  }
  return bytes;
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (size_t i = 0; i < bytes.size(); ++i) {
    hex += fmt::format("{:02x}{}", static_cast<unsigned char>(bytes[i]), i % 8 == 7 ? "\n" : " ");
  }
  return hex;
}

// Goal:   the document says what the code writes, byte for byte, and what it means.
// Method: the document's own hex decoded, and compared with what the encoders make.
TEST(Format, IsWhatTheDocumentShows) {
  std::string page = DocumentedBytes("segment");
  EXPECT_EQ(Hex(page), Hex(EncodeSegmentHeader(ExampleSegment()).substr(0, 96)));
  page.resize(kSegmentHeaderBytes, '\0');
  const auto segment = DecodeSegmentHeader(page);
  ASSERT_TRUE(segment.has_value()) << segment.error().message;
  EXPECT_EQ(segment->start, ExampleSegment().start);

  const std::string frame = DocumentedBytes("group");
  EXPECT_EQ(Hex(frame), Hex(ExampleGroup()));
  GroupHeader header;
  ASSERT_TRUE(DecodeGroupHeader(frame, segment->salt, &header));
  ASSERT_TRUE(BodyMatches(header, segment->salt, frame));
  std::vector<BatchView> batches;
  std::vector<ShardSpan> spans;
  ASSERT_TRUE(ParseBody(header, frame, &batches, &spans));
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].bytes, ExampleRecords());
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0].lineage, model::Lineage(0x77));
}

// Goal:   a file of a later format is called newer, not damaged; by any program, for ever.
// Method: the version raised, the checksum made anew as the document says.
TEST(Format, CallsANewerFormatNewer) {
  SegmentHeader header = ExampleSegment();
  const std::string sound = EncodeSegmentHeader(header);
  for (const uint32_t version : {2u, 3u, 1000u}) {
    const auto decoded = DecodeSegmentHeader(EncodeSegmentHeader(header, version));
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, Code::kInvalid);
    EXPECT_NE(decoded.error().message.find("written by a newer Sluice"), std::string::npos);
  }
  EXPECT_TRUE(DecodeSegmentHeader(sound).has_value());
}

// Goal:   another salt reads nothing; a recycled segment's old groups are strangers.
TEST(Format, AGroupIsReadUnderItsSaltAlone) {
  const std::string frame = ExampleGroup();
  GroupHeader header;
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_FALSE(DecodeGroupHeader(frame, ExampleSegment().salt ^ (1ull << bit), &header));
  }
}

// Goal:   a body that does not add up is not taken apart, whatever its checksum says.
// Method: counts and sizes changed, checksums made anew.
TEST(Format, RefusesBodiesThatDoNotAddUp) {
  const std::string sound = ExampleGroup();
  const uint64_t salt = ExampleSegment().salt;
  GroupHeader header;
  ASSERT_TRUE(DecodeGroupHeader(sound, salt, &header));
  std::vector<BatchView> batches;
  std::vector<ShardSpan> spans;
  ASSERT_TRUE(ParseBody(header, sound, &batches, &spans));
  const auto parses = [&](GroupHeader changed) {
    return ParseBody(changed, sound, &batches, &spans);
  };
  for (const int by : {-1, 1, 1000}) {
    for (uint32_t GroupHeader::*field :
         {&GroupHeader::records, &GroupHeader::batches, &GroupHeader::spans}) {
      GroupHeader changed = header;
      changed.*field += by;
      EXPECT_FALSE(parses(changed));
    }
  }
  header.flags = 8;  // of a later time
  EXPECT_FALSE(parses(header));
}

TEST(Format, NamesSegmentsByNumber) {
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{0xa1}, ~uint64_t{0}}) {
    EXPECT_EQ(NumberOf(SegmentName(number), kSegmentSuffix), number);
  }
  for (const char* name : {"", ".seg", "1.seg", "00000000000000A1.seg", "00000000000000a1.spare",
                           "00000000000000a1.seg2", "000000000000000a1.seg"}) {
    EXPECT_FALSE(NumberOf(name, kSegmentSuffix).has_value()) << name;
  }
}

}  // namespace
}  // namespace sluice::log
