#include "route/topology.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "base/bytes.h"
#include "env/sim/file_system.h"
#include "route/topology_codec.h"
#include "route/topology_file.h"
#include "route/topology_memory.h"
#include "route/world_test.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::route {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kToml = R"toml(
[keyspace.likes]
key = "likes:{post_id}:x"
shards = 2
[keyspace.visits]
key = "visit:{country}:{day}"
shard = "geo(country) then range(day)"
regions = { IN = { split_points = [20250101] }, EU = { match = ["DE", "FR"], tag = "eu" } }
unknown_region = "EU"
)toml";

TopologyContent Content() {
  return Accepted({}, kToml).content;
}

// The content's bytes, with the version that it would have.
std::string Bytes(TopologyContent content, uint64_t version) {
  content.version = version;
  return EncodeTopology(content);
}

// One disk on which topologies are opened; a memory topology only lives as long as it is held.
struct MemoryKind {
  std::shared_ptr<MemoryTopology> held = std::make_shared<MemoryTopology>();
  std::shared_ptr<Topology> Open() { return held; }
};
struct FileKind {
  env::SimFileSystem files{1};
  FileKind() { EXPECT_TRUE(files.CreateDir("data").ok()); }
  std::shared_ptr<Topology> Open() { return std::make_shared<FileTopology>(files, "data"); }
};

template <class Kind>
class TopologyConformance : public ::testing::Test {
 protected:
  Kind kind_;
};
using Kinds = ::testing::Types<MemoryKind, FileKind>;
TYPED_TEST_SUITE(TopologyConformance, Kinds);

// Goal:   there is nothing before the first write.
TYPED_TEST(TopologyConformance, BeginsEmpty) {
  const auto content = this->kind_.Open()->Load();
  ASSERT_TRUE(content.has_value()) << content.error().message;
  EXPECT_EQ(content->version, 0u);
  EXPECT_TRUE(content->catalogue.empty());
  EXPECT_EQ(content->map, nullptr);
}

// Goal:   what was swapped in is read back whole, also by another that opens it, one version on.
TYPED_TEST(TopologyConformance, KeepsWhatWasSwappedIn) {
  const TopologyContent content = Content();
  for (uint64_t version = 0; version < 5; ++version) {
    const auto topology = this->kind_.Open();
    ASSERT_TRUE(topology->CompareAndSwap(version, content).ok());
    for (const auto& opened : {topology, this->kind_.Open()}) {
      const auto read = opened->Load();
      ASSERT_TRUE(read.has_value()) << read.error().message;
      EXPECT_EQ(read->version, version + 1);
      EXPECT_EQ(EncodeTopology(*read), Bytes(content, version + 1));
    }
  }
}

// Goal:   a swap that expects another version changes nothing and says kConflict.
// Method: every wrong version around the right one, at several versions.
TYPED_TEST(TopologyConformance, RefusesOtherVersions) {
  const auto topology = this->kind_.Open();
  TopologyContent content = Content();
  for (uint64_t version = 0; version < 3; ++version) {
    for (const uint64_t expected :
         {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{3}, ~uint64_t{0}}) {
      if (expected == version) continue;
      TopologyContent other = content;
      other.node = 99;
      const Status status = topology->CompareAndSwap(expected, other);
      ASSERT_FALSE(status.ok());
      EXPECT_EQ(status.error().code, Code::kConflict);
      EXPECT_NE(topology->Load()->node, 99u);
      EXPECT_EQ(topology->Load()->version, version);
    }
    ASSERT_TRUE(topology->CompareAndSwap(version, content).ok());
  }
}

// Goal:   of two writers that read one version, one wins.
TYPED_TEST(TopologyConformance, OneOfTwoWins) {
  const auto one = this->kind_.Open(), other = this->kind_.Open();
  TopologyContent content = Content();
  content.node = 1;
  EXPECT_TRUE(one->CompareAndSwap(0, content).ok());
  content.node = 2;
  EXPECT_FALSE(other->CompareAndSwap(0, content).ok());
  EXPECT_EQ(other->Load()->node, 1u);
  EXPECT_TRUE(other->CompareAndSwap(1, content).ok());
  EXPECT_EQ(one->Load()->node, 2u);
}

// Goal:   a swap that ended well survives any crash; one that did not leaves the old or the new.
// Method: cut the power at each step of a swap, and fail each step, until one goes through.
TEST(FileTopology, SurvivesAPowerCutAtEveryStep) {
  for (const bool cut : {true, false}) {
    for (uint64_t step = 1;; ++step) {
      ASSERT_LT(step, 50u);
      env::SimFileSystem files(step);
      ASSERT_TRUE(files.CreateDir("data").ok());
      ASSERT_TRUE(files.SyncDir("data").ok());
      ASSERT_TRUE(files.SyncDir(".").ok());
      FileTopology topology(files, "data");
      TopologyContent content = Content();
      content.node = 1;
      ASSERT_TRUE(topology.CompareAndSwap(0, content).ok());
      content.node = 2;
      if (cut) {
        files.CutPowerAt(step);
      } else {
        files.FailAt(step, step % 2 == 0 ? Code::kIo : Code::kNoSpace);
      }
      const Status status = topology.CompareAndSwap(1, content);
      if (cut && !files.powered()) files.Restart();
      const auto read = FileTopology(files, "data").Load();
      ASSERT_TRUE(read.has_value()) << read.error().message << " at step " << step;
      if (status.ok()) {
        EXPECT_EQ(read->node, 2u) << step;
        files.CutPower();
        files.Restart();
        EXPECT_EQ(FileTopology(files, "data").Load()->node, 2u);
        break;
      }
      EXPECT_EQ(read->version, read->node) << step;
    }
  }
}

// Goal:   no damage passes unseen, and the error names the file and what to do.
// Method: every bit flipped, every length cut, bytes appended.
TEST(FileTopology, FindsEveryDamage) {
  env::SimFileSystem files(1);
  ASSERT_TRUE(files.CreateDir("data").ok());
  const std::string good = Bytes(Content(), 7);
  const auto load = [&](std::string bytes) {
    files.Overwrite("data/topology", std::move(bytes));
    return FileTopology(files, "data").Load();
  };
  ASSERT_TRUE(load(good).has_value());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const auto read = load(bad);
    ASSERT_FALSE(read.has_value()) << bit;
    ASSERT_EQ(read.error().code, Code::kCorrupt) << bit;
    ASSERT_THAT(read.error().message, HasSubstr("data/topology"));
  }
  for (size_t size = 0; size < good.size(); ++size) {
    const auto read = load(good.substr(0, size));
    ASSERT_FALSE(read.has_value());
    ASSERT_EQ(read.error().code, Code::kCorrupt) << size;
  }
  EXPECT_EQ(load(good + "x").error().code, Code::kCorrupt);
  EXPECT_EQ(load("[server]\nlisten = 1\n").error().code, Code::kCorrupt);
  EXPECT_THAT(load("[server]\n").error().message, HasSubstr("is not a topology file of Sluice"));
  EXPECT_EQ(FileTopology(files, "data").CompareAndSwap(0, Content()).error().code, Code::kCorrupt);
}

// The bytes with their checksum made right again.
std::string Sealed(std::string bytes) {
  bytes.resize(bytes.size() - sizeof(uint64_t));
  AppendLe(bytes, uint64_t{XXH3_64bits(bytes.data(), bytes.size())});
  return bytes;
}

// Goal:   a newer format is refused as such, not as damage.
TEST(FileTopology, RefusesANewerFormat) {
  std::string bytes = Bytes(Content(), 1);
  bytes[8] = 3;
  const auto read = DecodeTopology(Sealed(bytes));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Code::kInvalid);
  EXPECT_THAT(read.error().message, HasSubstr("has format 3"));
}

// Goal:   a body that passes its checksum and makes no sense is refused, and none makes the decoder
//         read outside it or take memory that its size does not warrant (under a sanitizer).
// Method: bodies with bytes changed at random, sealed again; what decodes encodes to the same
//         bytes.
TEST(TopologyCodec, SurvivesAnyBody) {
  const std::string good = Bytes(Content(), 3);
  Prng prng(1);
  int decoded = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bad = good;
    for (uint64_t edits = 1 + prng.Below(3); edits > 0; --edits) {
      bad[20 + prng.Below(bad.size() - 28)] = static_cast<char>(prng());
    }
    bad = Sealed(bad);
    const auto read = DecodeTopology(bad);
    if (!read) {
      ASSERT_EQ(read.error().code, Code::kCorrupt) << read.error().message;
      continue;
    }
    ++decoded;
    const Router router(read->catalogue, std::make_shared<Policies>(std::vector<model::Policy>()),
                        read->map);
    std::string token;
    static_cast<void>(router.Place("visit:DE:7", &token));
    static_cast<void>(router.Place("likes:7:x", &token));
  }
  EXPECT_GT(decoded, 1'000);
}

// The bytes of a hex block: pairs of digits up to a `|` on each line.
std::string FromHexBlock(const std::string& block) {
  std::istringstream lines(block);
  std::string bytes;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('|')));
    for (std::string word; words >> word;) {
      bytes += static_cast<char>(std::stoi(word, nullptr, 16));
    }
  }
  return bytes;
}

// Goal:   the example of the format's page is what the code writes and reads.
TEST(TopologyCodec, DocumentedExampleIsTrue) {
  std::ifstream file("docs/formats/topology.md");
  std::ostringstream page;
  page << file.rdbuf();
  const std::string text = page.str();
  const size_t begin = text.find("```hex\n");
  ASSERT_NE(begin, std::string::npos);
  const std::string block = text.substr(begin + 7, text.find("```", begin + 7) - begin - 7);

  CatalogueChange change = Accepted({},
                                    "[keyspace.default]\nshards = 1\n"
                                    "[keyspace.likes]\nkey = \"likes:{post_id}\"\nshards = 2\n");
  change.content.node = 0x0102030405060708;
  std::vector<model::Shard> shards = change.content.map->shards();
  for (model::Shard& shard : shards) shard.lineage = model::Lineage(0xa0 + shard.id.value);
  change.content.map = *model::ShardMap::Make(model::Epoch(1), shards);
  const std::string bytes = Bytes(change.content, 1);
  std::string hex;
  for (size_t i = 0; i < bytes.size(); ++i) {
    hex += fmt::format("{:02x}{}", static_cast<uint8_t>(bytes[i]), i % 16 == 15 ? "\n" : " ");
  }
  EXPECT_EQ(FromHexBlock(block), bytes) << hex;
  EXPECT_TRUE(DecodeTopology(FromHexBlock(block)).has_value());
}

}  // namespace
}  // namespace sluice::route
