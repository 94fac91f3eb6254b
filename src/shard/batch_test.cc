// Records that take several writes.
#include "shard/batch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

namespace sluice::shard {
namespace {

using model::Effect;
using model::EffectKind;

constexpr uint32_t kHash = 77;

Effect Add(std::string_view key, int64_t delta, int64_t number) {
  Effect effect;
  effect.kind = EffectKind::kAddInt;
  effect.key = key;
  effect.delta = delta;
  effect.number = number;
  return effect;
}

Effect Put(std::string_view key, std::string_view value) {
  Effect effect;
  effect.key = key;
  effect.value = value;
  return effect;
}

Effect AddField(std::string_view field, int64_t delta, int64_t number, uint64_t count) {
  Effect effect = Add("h", delta, number);
  effect.kind = EffectKind::kAddField;
  effect.value = field;
  effect.generation = model::Generation(3);
  effect.count = count;
  return effect;
}

// A batch of one shard, and what its records say in a line each.
class Records {
 public:
  // As a shard does: the write joins a record or begins one. True: it joined.
  bool Write(const Effect& effect, uint32_t hash = kHash) {
    if (batch_.Join(hash, effect)) return true;
    std::string effects;
    model::AppendEffect(effects, effect);
    batch_.AddOpen(0, model::ShardId(5), effects, hash);
    return false;
  }
  TurnBatch& batch() { return batch_; }

  std::vector<std::string> Seal() {
    batch_.Seal();
    std::vector<std::string> lines;
    Reader reader(batch_.bytes());
    std::vector<model::RecordPart> parts;
    while (!reader.done()) {
      EXPECT_TRUE(model::ReadRecord(reader, &parts) && parts.size() == 1);
      EXPECT_EQ(parts[0].shard, model::ShardId(5));
      lines.push_back(LineOf(parts[0].effects));
    }
    EXPECT_EQ(lines.size(), batch_.records());
    EXPECT_EQ(lines.size(), batch_.count(0));
    batch_.Clear();
    return lines;
  }

 private:
  static std::string LineOf(std::string_view effects) {
    std::string line;
    Reader reader(effects);
    std::vector<model::Field> fields;
    for (Effect effect; !reader.done();) {
      EXPECT_TRUE(model::ReadEffect(reader, &effect, &fields));
      line += line.empty() ? "" : ", ";
      if (effect.kind == EffectKind::kOnce) {
        line += fmt::format("token {}", effect.token);
        continue;
      }
      line += fmt::format("{} {}x", effect.key, effect.writes);
      if (effect.kind == EffectKind::kAddInt || effect.kind == EffectKind::kAddField) {
        line += fmt::format(" {}{:+}={}", effect.value, effect.delta, effect.number);
      } else {
        line += fmt::format(" {}", effect.value);
      }
      for (const model::Field& field : effect.fields) {
        line += fmt::format("{}={} ", field.name, field.value);
      }
      if (effect.generation != model::Generation()) line += fmt::format(" of {}", effect.count);
    }
    return line;
  }

  TurnBatch batch_{1};
};

using Lines = std::vector<std::string>;

// Goal:   a record that takes more stands where it began, with the sum, the last result, the number
//         of writes and every token; the others stay as they were.
// Method: writes to two keys and one that does not fold, across two turns.
TEST(TurnBatch, ARecordTakesTheKeysNextWrites) {
  Records records;
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_FALSE(records.Write(Add("a", 1, 11), 1));
    EXPECT_FALSE(records.Write(Put("b", "x"), 2));
    EXPECT_TRUE(records.Write(Add("a", -3, 8), 1));
    Effect once;
    once.kind = EffectKind::kOnce;
    once.token = "t";
    records.batch().AddToken(once);
    EXPECT_TRUE(records.Write(Put("b", "longer"), 2));
    EXPECT_FALSE(records.Write(Add("c", 1, 1), 3));
    EXPECT_TRUE(records.Write(Add("a", 5, 13), 1));
    EXPECT_EQ(records.Seal(), (Lines{"a 3x +3=13, token t", "b 2x longer", "c 1x +1=1"}));
  }
}

// Goal:   what cannot be one without showing is not one.
// Method: pairs of writes that differ in what they do, when the key ends, or sum up to too much.
TEST(TurnBatch, OnlyLikeWritesBecomeOne) {
  Records records;
  records.Write(Add("a", 1, 1));
  EXPECT_FALSE(records.Write(Put("a", "2")));
  EXPECT_FALSE(records.Write(Add("a", 1, 3)));
  Effect other_end = Add("a", 1, 4);
  other_end.expire_at_ms = 9;
  EXPECT_FALSE(records.Write(other_end));
  EXPECT_EQ(records.Seal().size(), 4u);
  records.Write(Add("a", INT64_MAX, INT64_MAX - 2));
  EXPECT_FALSE(records.Write(Add("a", 1, INT64_MAX - 1))) << "the sum is no delta";
  EXPECT_TRUE(records.Write(Add("a", 1, INT64_MAX)));
  EXPECT_EQ(records.Seal()[1], fmt::format("a 2x +2={}", INT64_MAX));
}

// Goal:   what must come behind a record ends it.
// Method: a write of another kind to the key, to all keys, and the end of a turn.
TEST(TurnBatch, EndedRecordsTakeNoMore) {
  Records records;
  records.Write(Add("a", 1, 1), 1);
  records.Write(Add("a", 1, 2), 1);
  records.Write(Add("b", 1, 1), 2);
  records.batch().End(1);
  EXPECT_FALSE(records.Write(Add("a", 1, 3), 1));
  EXPECT_TRUE(records.Write(Add("b", 1, 2), 2));
  records.batch().EndAll();
  EXPECT_FALSE(records.Write(Add("a", 1, 4), 1));
  EXPECT_FALSE(records.Write(Add("b", 1, 3), 2));
  EXPECT_EQ(records.Seal(),
            (Lines{"a 2x +2=2", "b 2x +2=2", "a 1x +1=3", "a 1x +1=4", "b 1x +1=3"}));
  EXPECT_FALSE(records.Write(Add("a", 1, 5), 1)) << "another turn";
}

// Goal:   two keys are never taken for one, however their hashes meet; the later one has the seat.
// Method: the same hash, and hashes that differ by multiples of the number of seats.
TEST(TurnBatch, KeysThatMeetStayApart) {
  for (const uint32_t apart : {0u, 1u << 11, 1u << 20}) {
    Records records;
    EXPECT_FALSE(records.Write(Add("a", 1, 1), kHash));
    EXPECT_TRUE(records.Write(Add("a", 1, 2), kHash));
    EXPECT_FALSE(records.Write(Add("b", 1, 1), kHash + apart));
    EXPECT_TRUE(records.Write(Add("b", 1, 2), kHash + apart));
    EXPECT_FALSE(records.Write(Add("a", 1, 3), kHash));
    EXPECT_FALSE(records.Write(Add("b", 1, 3), kHash + apart));
    EXPECT_EQ(records.Seal(), (Lines{"a 2x +2=2", "b 2x +2=2", "a 1x +1=3", "b 1x +1=3"}));
  }
}

// Goal:   a record speaks of a bounded number of fields, each once, with the count that the hash
//         has after all of them.
// Method: additions to more fields than a record takes, twice round.
TEST(TurnBatch, FieldsOfARecordAreBounded) {
  Records records;
  for (size_t round = 0; round < 2; ++round) {
    for (size_t i = 0; i < kFoldFieldsMax; ++i) {
      const bool joined = records.Write(
          AddField(fmt::format("f{}", i), 1, 1 + round, round == 0 ? i + 1 : kFoldFieldsMax));
      EXPECT_EQ(joined, round + i > 0);
    }
  }
  EXPECT_FALSE(records.Write(AddField("more", 1, 1, kFoldFieldsMax + 1)));
  const Lines lines = records.Seal();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].starts_with("h 2x f0+2=2 of 32, h 2x f1+2=2 of 32, ")) << lines[0];
  EXPECT_EQ(lines[1], "h 1x more+1=1 of 33");
}

// Goal:   a field that was put and is then added to, or the other way, keeps the order.
// Method: both, and the same on different fields, where there is no order to keep.
TEST(TurnBatch, ChangesOfOneFieldKeepTheirOrder) {
  const auto put = [](const model::Field& field, uint64_t count) {
    Effect effect = AddField({}, 0, 0, count);
    effect.kind = EffectKind::kPutFields;
    effect.fields = {&field, 1};
    return effect;
  };
  const model::Field f{"f", "7"}, g{"g", "9"};
  Records records;
  records.Write(put(f, 1));
  EXPECT_FALSE(records.Write(AddField("f", 1, 8, 1)));
  EXPECT_FALSE(records.Write(put(f, 1)));
  EXPECT_TRUE(records.Write(AddField("g", 1, 1, 2)));
  EXPECT_TRUE(records.Write(put(f, 2)));
  EXPECT_FALSE(records.Write(put(g, 2)));
  EXPECT_EQ(records.Seal(), (Lines{"h 1x f=7  of 1", "h 1x f+1=8 of 1",
                                   "h 1x g+1=1 of 2, h 2x f=7  of 2", "h 1x g=9  of 2"}));
}

}  // namespace
}  // namespace sluice::shard
