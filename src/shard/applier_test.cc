// Effects on rows, wherever these lie.
#include "shard/applier.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "base/prng.h"
#include "model/stored_key.h"
#include "store/memory_store.h"

namespace sluice::shard {
namespace {

using model::Effect;
using model::EffectKind;

// One string key in a state over a store.
class OneKey {
 public:
  OneKey() : state_(*store_), applier_(state_, expiries_, once_) {
    model::ValueKey(stored_, model::KeyspaceId(), "", "key");
  }

  void Apply(Effect effect) {
    effect.key = "key";
    turn_ = turn_.Next();
    EXPECT_TRUE(applier_.Apply(effect, {"", "", "", turn_, kNowMs}).ok());
  }
  void Put(std::string_view value, uint64_t expire_at_ms) {
    Effect effect;
    effect.value = value;
    effect.expire_at_ms = expire_at_ms;
    Apply(effect);
  }
  void Patch(uint64_t offset, std::string_view bytes, uint64_t expire_at_ms) {
    Effect effect;
    effect.kind = EffectKind::kPatch;
    effect.offset = offset;
    effect.value = bytes;
    effect.expire_at_ms = expire_at_ms;
    Apply(effect);
  }
  void ExpireAt(uint64_t expire_at_ms) {
    Effect effect;
    effect.kind = EffectKind::kExpireAt;
    effect.expire_at_ms = expire_at_ms;
    Apply(effect);
  }
  void Delete() {
    Effect effect;
    effect.kind = EffectKind::kDelete;
    Apply(effect);
  }
  void Freeze() {
    store::Run run = state_.Freeze({});
    if (run.buffer) frozen_.push_back(std::move(run));
  }
  void Flush() {
    if (frozen_.empty()) return;
    EXPECT_TRUE(store_->Apply(frozen_.front()).ok());
    state_.Flushed(frozen_.front());
    frozen_.erase(frozen_.begin());
  }
  // The row; its bytes are valid until the next call.
  store::Found Find() { return state_.Find(stored_, store::Tier::kDisk, &scratch_).value(); }
  model::Turn turn() const { return turn_; }
  size_t bytes() const { return state_.bytes(); }
  const std::vector<store::Run>& frozen() const { return frozen_; }
  std::string_view stored() const { return stored_; }

  static constexpr uint64_t kNowMs = 1000;

 private:
  std::unique_ptr<store::MemoryStore> store_ =
      store::MemoryStore::Open(std::make_shared<store::MemoryStore::Medium>(), {}).value();
  store::State state_;
  store::ExpiryQueue expiries_, once_;
  Applier applier_;
  model::Turn turn_;
  std::string stored_, scratch_;
  std::vector<store::Run> frozen_;
};

struct Model {
  std::string value;
  uint64_t expire_at_ms = 0;
};

// Goal:   a patch changes what it names, whatever lies where the row is: in the active buffer with
//         or without room, in one that is frozen and must stay as it is, in the store, expired; and
//         its turn is the last one's.
// Method: random puts, patches, changes of expiry (which move the body), deletions, freezes and
//         flushes of a key, against a string.
TEST(Applier, PatchesRowsWhereverTheyLie) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng random(seed);
    OneKey key;
    std::optional<Model> model;
    std::vector<std::string> frozen;  // what the key's row was when it was frozen
    const auto expiry = [&] { return random.OneIn(2) ? 0 : 500 + random.Below(1000); };
    const auto bytes = [&] {
      return std::string(random.Below(random.OneIn(10) ? 5000 : 20),
                         static_cast<char>('a' + random.Below(26)));
    };
    for (int step = 0; step < 400; ++step) {
      const bool alive =
          model && (model->expire_at_ms == 0 || model->expire_at_ms > OneKey::kNowMs);
      const uint64_t at = expiry();
      switch (random.Below(10)) {
        case 0:
          model = {bytes(), at};
          key.Put(model->value, at);
          break;
        case 1:
          key.Delete();
          model.reset();
          break;
        case 2:
          key.ExpireAt(at);
          if (alive) model->expire_at_ms = at;
          break;
        case 3:
          key.Freeze();
          break;
        case 4:
          key.Flush();
          break;
        default: {
          const std::string patch = bytes();
          std::string value = alive ? model->value : "";
          const uint64_t offset = random.Below(value.size() + (random.OneIn(3) ? 100 : 1));
          key.Patch(offset, patch, at);
          if (value.size() < offset + patch.size()) value.resize(offset + patch.size());
          value.replace(offset, patch.size(), patch);
          model = {value, at};
          ASSERT_EQ(key.Find().turn, key.turn());
        }
      }
      const store::Found found = key.Find();
      ASSERT_EQ(found.answer == store::Answer::kFound, model.has_value()) << step;
      if (!model) continue;
      model::RowView row;
      ASSERT_TRUE(model::DecodeRow(found.row, &row));
      ASSERT_EQ(row.body, model->value) << step;
      ASSERT_EQ(row.expire_at_ms, model->expire_at_ms);
    }
  }
}

// Goal:   a frozen buffer does not change under its readers.
TEST(Applier, LeavesFrozenRowsAlone) {
  OneKey key;
  key.Put("0123456789", 0);
  key.Freeze();
  const std::string before(key.frozen()[0].buffer->Find(key.stored()).row);
  key.Patch(3, "xxx", 0);
  key.Patch(2, "yyy", 0);
  EXPECT_EQ(key.frozen()[0].buffer->Find(key.stored()).row, before);
}

// Goal:   adding to a long value costs what is added, not the value.
// Method: many small additions; how often the row moves, and what memory they take.
TEST(Applier, AppendsInPlace) {
  OneKey key;
  constexpr size_t kSize = 4 << 20;
  key.Put(std::string(kSize, 'v'), 0);
  std::set<const char*> places;
  const size_t before = key.bytes();
  for (uint64_t i = 0; i < 1000; ++i) {
    key.Patch(kSize + 10 * i, "0123456789", 0);
    places.insert(key.Find().row.data());
  }
  EXPECT_LE(places.size(), 2u);
  EXPECT_LE(key.bytes(), before + 2 * kSize);
}

}  // namespace
}  // namespace sluice::shard
