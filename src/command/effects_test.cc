#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/prng.h"
#include "command/fake_view.h"

namespace sluice::command {
namespace {

// A random command on few keys of mixed types.
std::string RandomLine(Prng& prng) {
  static const char* const kLines[] = {"SET @ #",
                                       "SET @ # NX",
                                       "SET @ # XX KEEPTTL",
                                       "SET @ word PX 50",
                                       "APPEND @ abc",
                                       "SETRANGE @ 6 xy",
                                       "SETRANGE @ 1 q",
                                       "INCRBY @ #",
                                       "DECRBY @ #",
                                       "INCRBYFLOAT @ 0.25",
                                       "DEL @",
                                       "DEL @ @ @",
                                       "MSET @ # @ #",
                                       "MSETNX @ # @ #",
                                       "GETDEL @",
                                       "GETEX @ PX 70",
                                       "EXPIRE @ 1",
                                       "PEXPIRE @ 40",
                                       "PERSIST @",
                                       "PEXPIREAT @ 5",
                                       "HSET @ f #",
                                       "HSET @ g # h # f #",
                                       "HSET @ i 1 j 2 k 3",
                                       "HDEL @ f",
                                       "HDEL @ f g h i j k",
                                       "HINCRBY @ f #",
                                       "HINCRBYFLOAT @ g 1.5",
                                       "HSETNX @ h #"};
  std::string line = kLines[prng.Below(std::size(kLines))];
  for (size_t at; (at = line.find('@')) != std::string::npos;) {
    line.replace(at, 1, std::string(1, static_cast<char>('p' + prng.Below(4))));
  }
  for (size_t at; (at = line.find('#')) != std::string::npos;) {
    line.replace(at, 1, std::to_string(prng.Below(1000)));
  }
  return line;
}

// Goal:   effects carry all that replay needs: applied from the start they give the state, and
//         applied again from any place they end in it again.
// Method: random commands with a running clock, so that keys expire and are written again; then
//         every suffix of the effects is applied to the final state.
TEST(Effects, ReplayFromAnywhereEndsInTheSameState) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Prng prng(seed);
    FakeView view;
    if (prng.OneIn(3)) view.rules.ttl_ms = 100;
    for (int i = 0; i < 120; ++i) {
      view.now += prng.Below(12);
      Execute(view, Words(RandomLine(prng)));
    }
    ASSERT_GT(view.effects.size(), 30u);
    FakeRows replayed;
    for (const std::string& effect : view.effects) ApplyEffect(replayed, effect);
    ASSERT_EQ(replayed, view.rows) << "seed " << seed;
    for (size_t from = 0; from < view.effects.size(); ++from) {
      for (size_t at = from; at < view.effects.size(); ++at) {
        ApplyEffect(replayed, view.effects[at]);
      }
      ASSERT_EQ(replayed, view.rows) << "seed " << seed << " from " << from;
    }
  }
}

// Goal:   a counter's effect carries the delta and the result, a patch its place, and a hash's its
//         count; what does not change nothing emits nothing.
// Method: one command each, its effects decoded.
TEST(Effects, SayWhatChanged) {
  FakeView view;
  const auto last = [&](const char* line) {
    view.effects.clear();
    Execute(view, Words(line));
    model::Effect effect;
    static std::vector<model::Field> scratch;
    EXPECT_EQ(view.effects.size(), 1u) << line;
    static std::string bytes;
    bytes = view.effects.empty() ? "" : view.effects.back();
    Reader reader(bytes);
    EXPECT_TRUE(model::ReadEffect(reader, &effect, &scratch)) << line;
    return effect;
  };
  Execute(view, Words("SET n 40 PX 900"));
  model::Effect effect = last("INCRBY n 2");
  EXPECT_EQ(effect.kind, model::EffectKind::kAddInt);
  EXPECT_EQ(effect.delta, 2);
  EXPECT_EQ(effect.number, 42);
  EXPECT_EQ(effect.expire_at_ms, view.now + 900);
  effect = last("APPEND n xy");
  EXPECT_EQ(effect.kind, model::EffectKind::kPatch);
  EXPECT_EQ(effect.offset, 2u);
  EXPECT_EQ(effect.value, "xy");
  effect = last("HSET h a 1 b 2 a 3");
  EXPECT_EQ(effect.kind, model::EffectKind::kPutFields);
  EXPECT_EQ(effect.count, 2u);
  ASSERT_EQ(effect.fields.size(), 2u);
  EXPECT_EQ(effect.fields[0].value, "3");
  effect = last("HINCRBY h c -5");
  EXPECT_EQ(effect.kind, model::EffectKind::kAddField);
  EXPECT_EQ(effect.value, "c");
  EXPECT_EQ(effect.delta, -5);
  EXPECT_EQ(effect.count, 3u);
  effect = last("HDEL h a x");
  EXPECT_EQ(effect.kind, model::EffectKind::kDeleteFields);
  EXPECT_EQ(effect.count, 2u);
  EXPECT_EQ(effect.fields.size(), 1u);
  EXPECT_EQ(last("HDEL h b c").kind, model::EffectKind::kDelete);
  for (const char* line : {"HDEL h a", "DEL h", "PERSIST none", "SET none v XX", "APPEND n",
                           "GETDEL none", "HSETNX n a 1", "EXPIRE none 5", "SETRANGE none 5 ",
                           "GET n", "INCR n", "MSETNX n 1 m 2", "GETEX n"}) {
    view.effects.clear();
    Execute(view, Words(line));
    EXPECT_TRUE(view.effects.empty()) << line;
  }
}

}  // namespace
}  // namespace sluice::command
