// What the tests of this room share: a node of one keyspace that writes as a seed says, and knows
// what a sink must end up with.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "env/sim/world.h"
#include "log/group_buffer.h"
#include "log/memory_log.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "project/memory_sink.h"
#include "project/tail.h"
#include "store/memory_store.h"

namespace sluice::project {

using Rows = std::map<std::string, MemoryRow>;

inline model::Keyspace LikesKeyspace() {
  model::Keyspace keyspace;
  keyspace.id = model::KeyspaceId(3);
  keyspace.name = "likes";
  keyspace.key = {"likes:{post_id}", {"likes:", ""}, {"post_id"}};
  keyspace.token = {{model::TokenPartKind::kHash, {0}}};
  return keyspace;
}

class TestNode {
 public:
  explicit TestNode(uint64_t seed, size_t shards = 3) : world(seed), prng(seed) {
    store = store::MemoryStore::Open(std::make_shared<store::MemoryStore::Medium>(), {}).value();
    AddShards(shards);
  }

  // As a split does; those that were there stay.
  void AddShards(size_t more) {
    SourceShards shards = shards_ ? *shards_ : SourceShards();
    for (; more > 0; --more) {
      const size_t i = shards.size();
      shards.push_back({model::ShardId(static_cast<uint32_t>(10 + i)), model::Lineage(100 + i)});
      next_.push_back(1);
    }
    shards_ = std::make_shared<const SourceShards>(std::move(shards));
  }

  Source source() {
    return {*read_through,
            *store,
            keyspace,
            [this] { return shards_; },
            [this](model::Lineage lineage) { return model::ShardSeq(next_[lineage.value - 100]); },
            [this] { return model::Lsn(log.next().value - 1); },
            [this](std::string_view key, std::string* token) {
              *token = Token(std::string(key));
              return key.starts_with("likes:");
            }};
  }

  // One record of effects on keys of one shard, and what they do to `rows`.
  void Write(const std::vector<model::Effect>& effects, size_t shard) {
    std::string encoded;
    for (const model::Effect& effect : effects) model::AppendEffect(encoded, effect);
    std::string bytes;
    model::AppendRecord(bytes, (*shards_)[shard].id, encoded);
    Append(bytes, {{(*shards_)[shard].id, model::Epoch(1), (*shards_)[shard].lineage,
                    model::ShardSeq(next_[shard]), 1}});
    ++next_[shard];
  }

  // A record of a shard of another keyspace.
  void WriteForeign() {
    model::Effect effect;
    effect.keyspace = model::KeyspaceId(4);
    effect.key = "other";
    effect.value = "x";
    std::string encoded, bytes;
    model::AppendEffect(encoded, effect);
    model::AppendRecord(bytes, model::ShardId(99), encoded);
    Append(bytes, {{model::ShardId(99), model::Epoch(1), model::Lineage(999),
                    model::ShardSeq(next_foreign_++), 1}});
  }

  model::Effect Effect(model::EffectKind kind, std::string_view key) const {
    model::Effect effect;
    effect.kind = kind;
    effect.keyspace = keyspace.id;
    effect.key = key;
    return effect;
  }

  size_t ShardOf(const std::string& key) const { return key.back() % shards_->size(); }

  void Increment(const std::string& key, int64_t delta) {
    int64_t value = 0;
    MemoryRow& row = rows[key];
    if (!row.value.empty()) value = std::stoll(row.value);
    row = {std::to_string(value + delta), {}, false};
    model::Effect effect = Effect(model::EffectKind::kAddInt, key);
    effect.delta = delta;
    effect.number = value + delta;
    Write({effect}, ShardOf(key));
  }

  // The key is new, and becomes this.
  void Put(const std::string& key, const MemoryRow& row) {
    rows[key] = row;
    model::Effect effect = Effect(model::EffectKind::kPutValue, key);
    effect.value = row.value;
    std::vector<model::Field> fields;
    if (row.is_hash) {
      effect.kind = model::EffectKind::kPutFields;
      effect.generation = generations_[key] = model::Generation(++generation_);
      for (const auto& [name, value] : row.fields) fields.push_back({name, value});
      effect.fields = fields;
      effect.count = fields.size();
    }
    Write({effect}, ShardOf(key));
  }

  // Some write that a command could make of one of `keys` keys.
  void WriteAny(size_t keys) {
    const std::string key = "likes:" + std::to_string(prng.Below(keys));
    world.clock.Advance(prng.Below(2'000));
    if (prng.OneIn(8)) return WriteForeign();
    const auto found = rows.find(key);
    const bool there = found != rows.end();
    const bool hash = there && found->second.is_hash;
    switch (prng.Below(7)) {
      case 0: {
        model::Effect effect = Effect(model::EffectKind::kPutValue, key);
        const std::string value = std::to_string(prng.Below(1000));
        effect.value = value;
        rows[key] = {value, {}, false};
        return Write({effect}, ShardOf(key));
      }
      case 1:
        if (hash) return;
        return Increment(key, static_cast<int64_t>(prng.Below(100)) - 50);
      case 2: {
        if (!there) return;
        model::Effect effect = Effect(model::EffectKind::kDelete, key);
        if (prng.OneIn(2)) effect.reason = model::DeleteReason::kExpired;
        rows.erase(key);
        return Write({effect}, ShardOf(key));
      }
      case 3: {
        if (!there) return;
        return Write({Effect(model::EffectKind::kExpireAt, key)}, ShardOf(key));
      }
      default:
        if (!there || hash || prng.OneIn(4)) return WriteFields(key, hash);
    }
  }

  // The store becomes what the state is now.
  void StoreAll() {
    store::Run run;
    auto buffer = std::make_shared<store::Buffer>();
    std::string stored, row, fields;
    for (const std::string& key : stored_) {
      model::ValueKey(stored, keyspace.id, Token(key), key);
      if (!rows.contains(key)) buffer->Delete(stored, model::Turn());
    }
    stored_.clear();
    for (const auto& [key, each] : rows) {
      model::ValueKey(stored, keyspace.id, Token(key), key);
      stored_.push_back(key);
      fields.clear();
      for (const auto& [name, value] : each.fields) {
        AppendSized(fields, name);
        AppendSized(fields, value);
      }
      const bool large = each.is_hash && each.fields.size() > 3;
      if (each.is_hash) {
        model::EncodeHash(row, large ? model::RowType::kLargeHash : model::RowType::kSmallHash, 0,
                          generations_[key], each.fields.size(), large ? "" : fields);
      } else {
        row.assign(model::StringHeadSize(0), '\0');
        model::StoreStringHead(row.data(), 0);
        row += each.value;
      }
      buffer->Put(stored, row, model::Turn());
      for (const auto& [name, value] : each.fields) {
        if (!large) break;
        model::FieldPrefix(stored, keyspace.id, Token(key), key, generations_[key]);
        const size_t group = stored.size();
        buffer->Put(stored + name, value, model::Turn(), group);
      }
    }
    run.buffer = buffer;
    for (size_t i = 0; i < shards_->size(); ++i) {
      run.positions.push_back(
          {(*shards_)[i].lineage, model::ShardSeq(next_[i] - 1), model::Lsn(log.next().value - 1)});
    }
    ASSERT_TRUE(store->Apply(run).ok());
  }

  env::SimWorld world;
  Prng prng;
  log::MemoryLog log{model::LogId(1)};
  log::Log* read_through = &log;  // by projections
  std::unique_ptr<store::MemoryStore> store;
  const model::Keyspace keyspace = LikesKeyspace();
  Rows rows;  // what the keys are

 private:
  std::string Token(const std::string& key) const { return std::string(8, key.back()); }

  void WriteFields(const std::string& key, bool hash) {
    MemoryRow& row = rows[key];
    const bool began = !hash;
    if (began) row = {{}, {}, true};
    model::Effect effect = Effect(model::EffectKind::kPutFields, key);
    if (began) generations_[key] = model::Generation(++generation_);
    effect.generation = generations_[key];
    const std::string name(1, static_cast<char>('a' + prng.Below(6)));
    const std::string other(1, static_cast<char>('a' + prng.Below(6)));
    const std::string value = std::to_string(prng.Below(1000));
    std::vector<model::Field> fields = {{name, value}};
    switch (prng.Below(3)) {
      case 0:
        effect.kind = model::EffectKind::kAddField;
        effect.value = name;
        effect.delta = 3;
        effect.number = (row.fields.contains(name) ? std::stoll(row.fields[name]) : 0) + 3;
        row.fields[name] = std::to_string(effect.number);
        break;
      case 1:
        if (row.fields.size() > 1 && row.fields.contains(name)) {
          effect.kind = model::EffectKind::kDeleteFields;
          row.fields.erase(name);
          break;
        }
        [[fallthrough]];
      default:
        if (other != name) fields.push_back({other, value});
        for (const model::Field& field : fields) row.fields[std::string(field.name)] = value;
    }
    effect.fields = fields;
    effect.count = row.fields.size();
    Write({effect}, ShardOf(key));
  }

  void Append(const std::string& record, std::vector<log::ShardSpan> spans) {
    log::GroupBuffer buffer;
    buffer.Clear();
    const model::LogTime time = model::LogTime::OfMs(world.clock.WallMs());
    buffer.AddBatch(record, 1, time);
    log::GroupToWrite group;
    group.first = log.next();
    group.records = 1;
    group.durable = model::Lsn(log.next().value - 1);
    group.time = time;
    group.shards = spans;
    group.batches = buffer.batches();
    ASSERT_TRUE(log.Append(log.next(), log.term(), group).ok());
  }

  std::shared_ptr<const SourceShards> shards_;
  std::vector<uint64_t> next_;
  uint64_t next_foreign_ = 1;
  uint64_t generation_ = 0;
  std::map<std::string, model::Generation> generations_;
  std::vector<std::string> stored_;
};

}  // namespace sluice::project
