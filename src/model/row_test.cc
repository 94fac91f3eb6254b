#include "model/row.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"

namespace sluice::model {
namespace {

// Goal:   rows of each type read back as written, with and without an end; each true prefix of the
//         head is refused.
TEST(Row, ReadsBackAsWritten) {
  Prng random(1);
  for (int round = 0; round < 5000; ++round) {
    const uint64_t expire = random.OneIn(2) ? 0 : random() | 1;
    const Generation generation(random());
    const uint64_t count = random() >> random.Below(64);
    std::string body(random.Below(50), static_cast<char>(random()));
    std::string bytes;
    const auto type = static_cast<RowType>(1 + random.Below(3));
    if (type == RowType::kString) {
      bytes.resize(StringHeadSize(expire));
      ASSERT_EQ(StoreStringHead(bytes.data(), expire), bytes.data() + bytes.size());
      bytes += body;
    } else {
      if (type == RowType::kLargeHash) body.clear();
      EncodeHash(bytes, type, expire, generation, count, body);
    }
    RowView row;
    row.generation = Generation(7);  // left from another row
    row.count = 7;
    ASSERT_TRUE(DecodeRow(bytes, &row));
    ASSERT_EQ(row.type, type);
    ASSERT_EQ(row.expire_at_ms, expire);
    ASSERT_EQ(row.body, body);
    ASSERT_EQ(row.generation, row.is_hash() ? generation : Generation());
    ASSERT_EQ(row.count, row.is_hash() ? count : 0);
    for (size_t cut = 0; cut < bytes.size() - body.size(); ++cut) {
      ASSERT_FALSE(DecodeRow(std::string_view(bytes).substr(0, cut), &row));
    }
  }
}

// Goal:   what no encoder writes is refused: unknown types and flags, a tail on a large hash.
TEST(Row, RefusesWhatNobodyWrites) {
  RowView row;
  for (int type = 0; type < 256; ++type) {
    for (int flag : {0, 1, 2, 255}) {
      std::string bytes{static_cast<char>(type), static_cast<char>(flag)};
      bytes.append(30, 1);
      const bool fits = type == 1 || type == 2;
      ASSERT_EQ(DecodeRow(bytes, &row), fits && flag < 2) << type << " " << flag;
    }
  }
  std::string large;
  EncodeHash(large, RowType::kLargeHash, 0, Generation(1), 1, "");
  EXPECT_TRUE(DecodeRow(large, &row));
  EXPECT_FALSE(DecodeRow(large + "x", &row));
}

// Goal:   a walk gives every field in order with its place, and ends at the first damage.
// Method: random fields; then noise, where every step must stay inside the body and move on.
TEST(FieldWalk, WalksEveryField) {
  Prng random(2);
  for (int round = 0; round < 3000; ++round) {
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields(random.Below(8));
    std::vector<size_t> begins;
    for (auto& [name, value] : fields) {
      name.assign(random.Below(200), static_cast<char>(random()));
      value.assign(random.Below(20), static_cast<char>(random()));
      begins.push_back(body.size());
      AppendSized(body, name);
      AppendSized(body, value);
    }
    begins.push_back(body.size());
    FieldWalk walk(body);
    for (size_t i = 0; i < fields.size(); ++i) {
      ASSERT_TRUE(walk.Next());
      ASSERT_EQ(walk.field, fields[i].first);
      ASSERT_EQ(walk.value, fields[i].second);
      ASSERT_EQ(walk.at, begins[i]);
      ASSERT_EQ(walk.at + walk.size, begins[i + 1]);
    }
    ASSERT_FALSE(walk.Next());

    for (char& c : body) c = random.OneIn(4) ? static_cast<char>(random()) : c;
    FieldWalk noise(body);
    size_t end = 0;
    while (noise.Next()) {
      ASSERT_EQ(noise.at, end);
      ASSERT_GT(noise.size, 0u);
      end += noise.size;
      ASSERT_LE(end, body.size());
    }
  }
}

// Goal:   once rows read back as written, and no prefix of the head passes.
TEST(OnceRow, ReadsBackAsWritten) {
  Prng random(3);
  for (int round = 0; round < 1000; ++round) {
    const std::string reply(random.Below(40), static_cast<char>(random()));
    const OnceRow written{random(), random(), reply};
    std::string bytes = "left from another";
    EncodeOnce(bytes, written);
    OnceRow row;
    ASSERT_TRUE(DecodeOnce(bytes, &row));
    ASSERT_EQ(row.number, written.number);
    ASSERT_EQ(row.digest, written.digest);
    ASSERT_EQ(row.reply, reply);
    for (size_t cut = 0; cut < 16; ++cut) {
      ASSERT_FALSE(DecodeOnce(std::string_view(bytes).substr(0, cut), &row));
    }
  }
}

}  // namespace
}  // namespace sluice::model
