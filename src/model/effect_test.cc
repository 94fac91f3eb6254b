#include "model/effect.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/prng.h"

namespace sluice::model {
namespace {

constexpr EffectKind kKinds[] = {
    EffectKind::kPutValue, EffectKind::kAddInt,       EffectKind::kPatch,
    EffectKind::kDelete,   EffectKind::kExpireAt,     EffectKind::kPutFields,
    EffectKind::kAddField, EffectKind::kDeleteFields, EffectKind::kOnce,
    EffectKind::kProducer, EffectKind::kClearShard};

// Numbers of every magnitude, its ends included.
uint64_t Number(Prng& random) {
  const uint64_t bits = random.Below(65);
  const uint64_t number = bits == 64 ? random() : random() & ((uint64_t{1} << bits) - 1);
  return random.OneIn(16) ? ~uint64_t{0} : number;
}

// An effect with everything its kind has drawn at random; its bytes live in `pool`.
struct Drawn {
  Effect effect;
  std::vector<std::string> pool;
  std::vector<Field> fields;
};

void Draw(Prng& random, Drawn* drawn) {
  drawn->pool.clear();
  drawn->pool.reserve(40);
  const auto bytes = [&] {
    std::string made(random.OneIn(10) ? random.Below(300) : random.Below(12), 0);
    for (char& c : made) c = static_cast<char>(random());
    return std::string_view(drawn->pool.emplace_back(std::move(made)));
  };
  Effect& effect = drawn->effect;
  effect = Effect();
  effect.kind = kKinds[random.Below(std::size(kKinds))];
  effect.keyspace = KeyspaceId(static_cast<uint16_t>(random()));
  effect.writes = random.OneIn(2) ? 1 : 2 + static_cast<uint32_t>(random.Below(UINT32_MAX - 2));
  effect.reason = static_cast<DeleteReason>(random.Below(2));
  effect.key = bytes();
  effect.expire_at_ms = Number(random);
  effect.value = bytes();
  effect.delta = static_cast<int64_t>(Number(random));
  effect.number = static_cast<int64_t>(Number(random));
  effect.offset = Number(random);
  effect.generation = Generation(Number(random));
  effect.count = Number(random);
  effect.user = bytes();
  effect.token = bytes();
  effect.digest = Number(random);
  drawn->fields.clear();
  for (uint64_t n = random.Below(5); n > 0; --n) drawn->fields.push_back({bytes(), bytes()});
  effect.fields = drawn->fields;
}

void ExpectSame(const Effect& a, const Effect& b) {
  ASSERT_EQ(a.kind, b.kind);
  ASSERT_EQ(a.keyspace, b.keyspace);
  ASSERT_EQ(a.writes, b.writes);
  ASSERT_EQ(a.key, b.key);
  const auto same_head = [&] {
    ASSERT_EQ(a.expire_at_ms, b.expire_at_ms);
    ASSERT_EQ(a.generation, b.generation);
    ASSERT_EQ(a.count, b.count);
  };
  switch (a.kind) {
    case EffectKind::kPutValue:
      ASSERT_EQ(a.expire_at_ms, b.expire_at_ms);
      ASSERT_EQ(a.value, b.value);
      return;
    case EffectKind::kAddField:
      same_head();
      ASSERT_EQ(a.value, b.value);
      ASSERT_EQ(a.delta, b.delta);
      ASSERT_EQ(a.number, b.number);
      return;
    case EffectKind::kAddInt:
      ASSERT_EQ(a.expire_at_ms, b.expire_at_ms);
      ASSERT_EQ(a.delta, b.delta);
      ASSERT_EQ(a.number, b.number);
      return;
    case EffectKind::kPatch:
      ASSERT_EQ(a.expire_at_ms, b.expire_at_ms);
      ASSERT_EQ(a.offset, b.offset);
      ASSERT_EQ(a.value, b.value);
      return;
    case EffectKind::kDelete:
      ASSERT_EQ(a.reason, b.reason);
      return;
    case EffectKind::kExpireAt:
      ASSERT_EQ(a.expire_at_ms, b.expire_at_ms);
      return;
    case EffectKind::kPutFields:
    case EffectKind::kDeleteFields:
      same_head();
      ASSERT_EQ(a.fields.size(), b.fields.size());
      for (size_t i = 0; i < a.fields.size(); ++i) {
        ASSERT_EQ(a.fields[i].name, b.fields[i].name);
        if (a.kind == EffectKind::kPutFields) {
          ASSERT_EQ(a.fields[i].value, b.fields[i].value);
        }
      }
      return;
    case EffectKind::kOnce:
    case EffectKind::kProducer:
      ASSERT_EQ(a.user, b.user);
      ASSERT_EQ(a.token, b.token);
      ASSERT_EQ(a.digest, b.digest);
      ASSERT_EQ(a.value, b.value);
      if (a.kind == EffectKind::kOnce) {
        ASSERT_EQ(a.expire_at_ms, b.expire_at_ms);
      } else {
        ASSERT_EQ(a.offset, b.offset);
      }
      return;
    case EffectKind::kClearShard:
      return;
  }
}

// Goal:   every effect reads back as it was written, and takes exactly its bytes; any part of its
//         bytes is refused.
// Method: random effects of all kinds, several in a row; then each of their prefixes.
TEST(Effect, ReadsBackAsWritten) {
  Prng random(1);
  for (int round = 0; round < 3000; ++round) {
    std::vector<Drawn> written(1 + random.Below(4));
    std::string bytes;
    for (Drawn& drawn : written) {
      Draw(random, &drawn);
      AppendEffect(bytes, drawn.effect);
    }
    Reader reader(bytes);
    Effect effect;
    std::vector<Field> scratch;
    size_t begin = 0;
    for (const Drawn& drawn : written) {
      ASSERT_TRUE(ReadEffect(reader, &effect, &scratch));
      ExpectSame(effect, drawn.effect);
      if (HasFatalFailure()) return;
      const size_t end = bytes.size() - reader.left();
      for (size_t cut = begin; cut < end; ++cut) {
        Reader part(std::string_view(bytes).substr(begin, cut - begin));
        ASSERT_FALSE(ReadEffect(part, &effect, &scratch)) << "cut at " << cut - begin;
      }
      begin = end;
    }
    ASSERT_TRUE(reader.done());
  }
}

// Goal:   bytes from outside never make the reader look past them or believe in impossible numbers.
// Method: damaged effects and plain noise; what is accepted lies inside the bytes (the sanitizers
//         watch the rest) and is written back to something that reads the same.
TEST(Effect, SurvivesNoise) {
  Prng random(2);
  std::vector<Field> scratch;
  for (int round = 0; round < 20000; ++round) {
    Drawn drawn;
    Draw(random, &drawn);
    std::string bytes;
    AppendEffect(bytes, drawn.effect);
    if (random.OneIn(3)) bytes.assign(random.Below(40), 0);
    for (uint64_t n = 1 + random.Below(4); n > 0 && !bytes.empty(); --n) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random());
    }
    Reader reader(bytes);
    Effect effect;
    if (!ReadEffect(reader, &effect, &scratch)) continue;
    std::string again;
    AppendEffect(again, effect);
    Reader second(again);
    Effect same;
    std::vector<Field> other;
    ASSERT_TRUE(ReadEffect(second, &same, &other));
    ExpectSame(same, effect);
    if (HasFatalFailure()) return;
  }
}

// Goal:   numbers that do not fit their type are refused, not cut: a keyspace above 65,535, more
//         than 2^32 - 1 writes, or none, a shard above 2^32 - 1.
TEST(Effect, RefusesNumbersThatDoNotFit) {
  const auto reads = [](uint8_t kind, uint64_t writes, uint64_t keyspace) {
    std::string bytes(1, static_cast<char>(kind));
    if (kind & 0x40) AppendVarint(bytes, writes);
    AppendVarint(bytes, keyspace);
    AppendSized(bytes, "key");
    bytes.push_back(0);
    Reader reader(bytes);
    Effect effect;
    std::vector<Field> scratch;
    return ReadEffect(reader, &effect, &scratch);
  };
  EXPECT_TRUE(reads(4, 1, 65535));
  EXPECT_FALSE(reads(4, 1, 65536));
  EXPECT_TRUE(reads(0x44, UINT32_MAX, 0));
  EXPECT_FALSE(reads(0x44, uint64_t{1} << 32, 0));
  EXPECT_FALSE(reads(0x44, 0, 0));
  for (int kind : {0, 12, 0x40, 0x81, 0xff}) EXPECT_FALSE(reads(static_cast<uint8_t>(kind), 1, 0));

  std::string body;
  AppendVarint(body, 1);
  AppendVarint(body, uint64_t{1} << 32);
  AppendSized(body, "effects");
  std::string record;
  AppendSized(record, body);
  Reader reader(record);
  std::vector<RecordPart> parts;
  EXPECT_FALSE(ReadRecord(reader, &parts));
}

// Goal:   records come back part by part, one after the other; a record cut short, with bytes left
//         over inside, or without a part is refused.
TEST(Record, ReadsBackAsWritten) {
  Prng random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> effects(1 + random.Below(4));
    std::vector<RecordPart> written;
    for (std::string& e : effects) {
      e.assign(random.Below(200), static_cast<char>(random()));
      written.push_back({ShardId(static_cast<uint32_t>(random())), e});
    }
    std::string bytes;
    AppendRecord(bytes, written);
    const size_t first = bytes.size();
    AppendRecord(bytes, written[0].shard, written[0].effects);
    Reader reader(bytes);
    std::vector<RecordPart> parts;
    ASSERT_TRUE(ReadRecord(reader, &parts));
    ASSERT_EQ(parts.size(), written.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      ASSERT_EQ(parts[i].shard, written[i].shard);
      ASSERT_EQ(parts[i].effects, written[i].effects);
    }
    ASSERT_EQ(bytes.size() - reader.left(), first);
    ASSERT_TRUE(ReadRecord(reader, &parts));
    ASSERT_EQ(parts.size(), 1u);
    ASSERT_EQ(parts[0].effects, written[0].effects);
    ASSERT_TRUE(reader.done());
    for (size_t cut = 0; cut < first; ++cut) {
      Reader part(std::string_view(bytes).substr(0, cut));
      ASSERT_FALSE(ReadRecord(part, &parts));
    }
  }
  for (const std::string_view bad :
       {std::string_view("\0", 1), std::string_view("\1\0", 2), std::string_view("\4\1\7\0x", 5)}) {
    Reader reader(bad);
    std::vector<RecordPart> parts;
    EXPECT_FALSE(ReadRecord(reader, &parts));
  }
}

// Goal:   zigzag keeps every number and gives small ones to small magnitudes.
TEST(ZigZag, GoesThereAndBack) {
  Prng random(4);
  for (int i = 0; i < 10000; ++i) {
    const auto number = static_cast<int64_t>(Number(random));
    ASSERT_EQ(UnZigZag(ZigZag(number)), number);
  }
  for (const int64_t number : {INT64_MIN, INT64_MAX, int64_t{0}, int64_t{-1}}) {
    EXPECT_EQ(UnZigZag(ZigZag(number)), number);
  }
  for (int64_t small = -64; small < 64; ++small) EXPECT_EQ(VarintSize(ZigZag(small)), 1u);
}

}  // namespace
}  // namespace sluice::model
