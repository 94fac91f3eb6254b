// The bytes in docs/formats/keys.md are what the code writes and reads.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "base/bytes.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "store/run_rows.h"

namespace sluice::store {
namespace {

// The bytes of each example, by the words after its fence. Bytes end at two spaces.
std::map<std::string, std::string> Examples() {
  std::ifstream file("docs/formats/keys.md");
  EXPECT_TRUE(file.good()) << "run from the root of the repository";
  std::map<std::string, std::string> examples;
  std::string line, name;
  while (std::getline(file, line)) {
    if (line.starts_with("```")) {
      name = line.substr(3);
      continue;
    }
    if (name.empty()) continue;
    std::istringstream bytes(line.substr(0, line.find("  ")));
    unsigned byte = 0;
    while (bytes >> std::hex >> byte) examples[name].push_back(static_cast<char>(byte));
  }
  return examples;
}

constexpr model::KeyspaceId kKeyspace{3};
constexpr std::string_view kToken = "\x11\x22\x33\x44\x55\x66\x77\x88";
constexpr std::string_view kKey = "cart:7";
constexpr uint64_t kTime = 1'700'000'000'000;

// Goal:   each example is exactly what the code writes for what the example says.
TEST(KeysFormat, ExamplesAreWhatIsWritten) {
  std::map<std::string, std::string> written;
  model::ValueKey(written["key value"], kKeyspace, kToken, kKey);
  model::FieldPrefix(written["key field"], kKeyspace, kToken, kKey, model::Generation(5));
  written["key field"] += "socks";
  model::ExpiryKey(written["key expiry"], kKeyspace, kTime, kToken, kKey);
  model::OnceKey(written["key once"], kKeyspace, kToken, kKey, "ann", "order-1");
  const std::string begin("\x80\0\0\0\0\0\0\0", 8);
  model::ProducerKey(written["key producer"], kKeyspace, begin, "ann", "load", 42);
  model::PositionKey(written["key position"], model::Lineage(0x0a0b));
  model::FormatKey(written["key format"]);

  std::string& string = written["row string"];
  string.resize(model::StringHeadSize(kTime));
  model::StoreStringHead(string.data(), kTime);
  string += "hi";
  std::string fields;
  for (const std::string_view part : {"socks", "2", "hat", "1"}) AppendSized(fields, part);
  const model::Generation generation(5);
  model::EncodeHash(written["row small-hash"], model::RowType::kSmallHash, 0, generation, 2,
                    fields);
  model::EncodeHash(written["row large-hash"], model::RowType::kLargeHash, 0, generation, 300, "");
  model::EncodeOnce(written["row once"], {kTime, 0x0123456789abcdef, ":1\r\n"});
  EncodePosition(written["row position"], {model::Lineage(1), model::ShardSeq(7), model::Lsn(9)});
  EncodeFormat(written["row format"]);
  EXPECT_EQ(Examples(), written);
}

// Goal:   the bounds that the document names are the code's.
TEST(KeysFormat, BoundsAreWhatIsWritten) {
  EXPECT_EQ(model::kKeyBytesMax, 60'000u);
  EXPECT_EQ(model::kSmallHashFieldsMax, 128u);
  EXPECT_EQ(model::kSmallHashBytesMax, 4096u);
  EXPECT_EQ(model::kProducerSlots, 1024);
  EXPECT_EQ(model::kMetaKeyspace.value, 65535);
  EXPECT_EQ(kStoreFormat, 1u);
}

}  // namespace
}  // namespace sluice::store
