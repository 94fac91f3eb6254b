// What tests of the PostgreSQL sink share: changes made in one line, and a projector in small that
// drains a made-up log into a sink, whatever goes wrong, so that a table can be compared with it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "env/linux/clock.h"
#include "project/pg_server_test.h"
#include "project/pg_sink.h"

namespace sluice::project {

inline Change ValueOf(const std::string& id, const std::string& value, uint64_t seq = 1) {
  Change change;
  change.key = "likes:" + id;
  change.segments = {id};
  change.value = value;
  change.writes = 1;
  change.last = {model::Lineage(7), model::ShardSeq(seq)};
  change.time_ms = 1'700'000'000'123;
  return change;
}

inline Change DeltaOf(const std::string& id, int64_t delta) {
  Change change = ValueOf(id, "");
  change.delta = delta;
  change.added = true;
  return change;
}

inline Change HashOf(const std::string& id,
                     const std::vector<std::pair<std::string, std::optional<std::string>>>& fields,
                     bool whole = false) {
  Change change = ValueOf(id, "");
  change.kind = Change::Kind::kFields;
  change.whole = whole;
  for (const auto& [name, value] : fields) change.fields.push_back({.name = name, .value = value});
  std::sort(change.fields.begin(), change.fields.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return change;
}

inline Change GoneOf(const std::string& id, Change::Kind kind = Change::Kind::kDeleted) {
  Change change = ValueOf(id, "");
  change.kind = kind;
  return change;
}

// A batch of one lineage, from `before` (0: new) to `after`.
inline Batch BatchOf(std::vector<Change> changes, uint64_t before, uint64_t after) {
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.key < b.key; });
  Batch batch;
  if (before > 0) batch.from = {{model::Lineage(7), model::ShardSeq(before)}};
  batch.to = {{model::Lineage(7), model::ShardSeq(after)}};
  batch.changes = std::move(changes);
  return batch;
}

// A new table of that name and shape, which no projection has.
inline void MakeTable(PgServer& server, const std::string& name, const std::string& columns) {
  server.Ask(fmt::format("DROP TABLE IF EXISTS {} CASCADE", name));
  server.Ask(
      fmt::format("DO $$ BEGIN IF to_regclass('sluice_projections') IS NOT NULL THEN "
                  "DELETE FROM sluice_projections WHERE target = '{}'; END IF; END $$",
                  name));
  server.Ask(fmt::format("CREATE TABLE {} ({})", name, columns));
}

// Of a table `id bigint primary key, likes bigint`, or what the test makes of it.
inline PgSinkOptions LikesOptions(const PgServer& server, const std::string& table) {
  PgSinkOptions options;
  options.name = table + "_pg";
  options.url = server.Url();
  options.table = table;
  options.columns = {{"id", "{post_id}"}, {"likes", "value"}};
  options.key = {"id"};
  options.segments = {"post_id"};
  return options;
}

inline std::unique_ptr<PgSink> MakeSink(const PgSinkOptions& options) {
  static env::LinuxClock clock;
  auto made = PgSink::Make(options, clock);
  SLUICE_CHECK_MSG(made.has_value(), made.error().message);
  return *std::move(made);
}

// A log of increments in several lineages, each key in one of them, and what it comes to.
class ToyLog {
 public:
  ToyLog(uint64_t seed, size_t writes, size_t keys) {
    Prng prng(seed);
    for (size_t i = 0; i < writes; ++i) {
      const uint64_t key = prng.Below(keys);
      effects_[LineageOf(key)].push_back({key, static_cast<int64_t>(prng.Below(9)) + 1});
    }
  }

  // What follows `from`, at most `rows_max` effects of each lineage; nothing: it is at the end.
  std::optional<Batch> Next(const Position& from, size_t rows_max) const {
    Batch batch;
    std::map<uint64_t, Change> by_key;
    for (const auto& [lineage, effects] : effects_) {
      uint64_t seq = 0;
      for (const Place& place : from) {
        if (place.lineage == lineage) seq = place.seq.value;
      }
      if (seq == effects.size()) continue;
      if (seq > 0) batch.from.push_back({lineage, model::ShardSeq(seq)});
      const size_t end = std::min(effects.size(), seq + rows_max);
      for (; seq < end; ++seq) Add(by_key, lineage, seq);
      batch.to.push_back({lineage, model::ShardSeq(end)});
    }
    if (batch.to.empty()) return std::nullopt;
    for (auto& [key, change] : by_key) {
      change.value = std::to_string(ValueAt(key, change.last));
      batch.changes.push_back(std::move(change));
    }
    std::sort(batch.changes.begin(), batch.changes.end(),
              [](const Change& a, const Change& b) { return a.key < b.key; });
    return batch;
  }

  // "id|likes" of each row, by id.
  std::vector<std::string> Rows() const {
    std::map<uint64_t, int64_t> sums;
    for (const auto& [lineage, effects] : effects_) {
      for (const auto& [key, delta] : effects) sums[key] += delta;
    }
    std::vector<std::string> rows;
    for (const auto& [key, sum] : sums) rows.push_back(fmt::format("{}|{}", key, sum));
    return rows;
  }

 private:
  struct Effect {
    uint64_t key;
    int64_t delta;
  };

  // One of them with its uppermost bit set, as half of all true lineages have.
  static model::Lineage LineageOf(uint64_t key) {
    constexpr uint64_t kLineages[] = {11, 12, 0x8000'0000'0000'0005};
    return model::Lineage(kLineages[key % 3]);
  }
  void Add(std::map<uint64_t, Change>& by_key, model::Lineage lineage, uint64_t index) const {
    const Effect& effect = effects_.at(lineage)[index];
    Change& change =
        by_key.try_emplace(effect.key, DeltaOf(std::to_string(effect.key), 0)).first->second;
    change.delta += effect.delta;
    change.last = {lineage, model::ShardSeq(index + 1)};
  }
  int64_t ValueAt(uint64_t key, Place place) const {
    int64_t sum = 0;
    for (uint64_t i = 0; i < place.seq.value; ++i) {
      const Effect& effect = effects_.at(place.lineage)[i];
      if (effect.key == key) sum += effect.delta;
    }
    return sum;
  }

  std::map<model::Lineage, std::vector<Effect>> effects_;
};

// Drains what is left of the log, opening again after each failure, at most `failures_max` times.
// Returns how often it failed. What `before_each` does happens before each call.
template <class BeforeEach>
size_t Drain(Sink& sink, const ToyLog& log, uint64_t epoch, size_t rows_max, size_t failures_max,
             BeforeEach before_each) {
  size_t failures = 0;
  std::optional<Position> at;
  while (failures <= failures_max) {
    before_each();
    if (!at.has_value()) {
      Result<Position> opened = sink.Open(epoch);
      if (!opened.has_value()) {
        EXPECT_EQ(opened.error().code, Code::kUnavailable) << opened.error().message;
        ++failures;
        continue;
      }
      at = *std::move(opened);
    }
    const std::optional<Batch> batch = log.Next(*at, rows_max);
    if (!batch.has_value()) return failures;
    const Status written = sink.Write(*batch);
    if (!written.ok()) {
      EXPECT_TRUE(written.error().code == Code::kUnavailable ||
                  written.error().code == Code::kOutcomeUnknown)
          << CodeName(written.error().code) << ": " << written.error().message;
      ++failures;
      at.reset();
      continue;
    }
    for (const Place& place : batch->to) {
      const auto found = std::find_if(
          at->begin(), at->end(), [&](const Place& old) { return old.lineage == place.lineage; });
      if (found == at->end()) {
        at->push_back(place);
      } else {
        *found = place;
      }
    }
  }
  ADD_FAILURE() << "more than " << failures_max << " failures";
  return failures;
}

}  // namespace sluice::project
