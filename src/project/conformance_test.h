// What every Sink must do, whatever it writes to: one suite, instantiated for each implementation.
//
// A bench has: Sink& sink(); void Reopen() (a new sink over what is there); Rows rows() (what a
// reader finds; of kFields the fields n and m).
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "project/kit_test.h"

namespace sluice::project {

inline Change ValueChange(const std::string& post, const std::string& value) {
  Change change;
  change.key = "likes:" + post;
  change.segments = {post};
  change.value = value;
  change.writes = 1;
  return change;
}

inline Change FieldsChange(const std::string& post, std::vector<FieldChange> fields, bool whole) {
  Change change = ValueChange(post, "");
  change.kind = Change::Kind::kFields;
  change.fields = std::move(fields);
  change.whole = whole;
  return change;
}

inline Change Deleted(const std::string& post) {
  Change change = ValueChange(post, "");
  change.kind = Change::Kind::kDeleted;
  return change;
}

inline Position At(std::vector<std::pair<uint64_t, uint64_t>> places) {
  Position position;
  for (const auto& [lineage, seq] : places) {
    position.push_back({model::Lineage(lineage), model::ShardSeq(seq)});
  }
  return position;
}

template <class Bench>
class SinkConformance : public testing::Test {
 protected:
  Sink& sink() { return bench_.sink(); }
  // Opens the sink and expects it at that position.
  void ExpectAt(uint64_t epoch, const Position& position) {
    auto opened = sink().Open(epoch);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    std::sort(opened->begin(), opened->end(),
              [](const Place& a, const Place& b) { return a.lineage < b.lineage; });
    EXPECT_EQ(*opened, position);
  }
  Status Write(Position from, Position to, std::vector<Change> changes) {
    Batch batch;
    batch.from = std::move(from);
    batch.to = std::move(to);
    batch.changes = std::move(changes);
    return sink().Write(batch);
  }

  Bench bench_;
};

TYPED_TEST_SUITE_P(SinkConformance);

// Goal:   rows and position are kept together, over a new connection too.
TYPED_TEST_P(SinkConformance, KeepsRowsAndPosition) {
  this->ExpectAt(1, {});
  ASSERT_TRUE(this->Write({}, At({{0, 2}, {5, 3}}), {ValueChange("1", "10")}).ok());
  ASSERT_TRUE(this->Write(At({{5, 3}}), At({{5, 7}, {6, 1}}),
                          {ValueChange("1", "11"), ValueChange("2", "20")})
                  .ok());
  this->bench_.Reopen();
  this->ExpectAt(1, At({{0, 2}, {5, 7}, {6, 1}}));
  ASSERT_TRUE(this->Write(At({{5, 7}}), At({{5, 8}}), {Deleted("1")}).ok());
  EXPECT_EQ(this->bench_.rows(), (Rows{{"likes:2", {"20", {}, false}}}));
}

// Goal:   a batch that does not follow is refused and changes nothing.
TYPED_TEST_P(SinkConformance, RefusesABatchThatDoesNotFollow) {
  this->ExpectAt(1, {});
  ASSERT_TRUE(this->Write({}, At({{5, 3}}), {ValueChange("1", "10")}).ok());
  for (const Position& from : {Position{}, At({{5, 2}}), At({{5, 4}})}) {
    const Status written = this->Write(from, At({{5, 9}}), {ValueChange("1", "99")});
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().code, Code::kConflict) << written.error().message;
    this->bench_.Reopen();
    this->ExpectAt(1, At({{5, 3}}));
  }
  EXPECT_EQ(this->bench_.rows(), (Rows{{"likes:1", {"10", {}, false}}}));
}

// Goal:   an owner of an earlier epoch is fenced.
TYPED_TEST_P(SinkConformance, FencesEarlierEpochs) {
  this->ExpectAt(5, {});
  ASSERT_TRUE(this->Write({}, At({{5, 3}}), {ValueChange("1", "10")}).ok());
  this->bench_.Reopen();
  const auto opened = this->sink().Open(4);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kFenced) << opened.error().message;
  this->ExpectAt(6, At({{5, 3}}));
  ASSERT_TRUE(this->Write(At({{5, 3}}), At({{5, 4}}), {}).ok());
}

// Goal:   fields are put and taken one by one; a hash that is whole has no others.
TYPED_TEST_P(SinkConformance, WritesFields) {
  this->ExpectAt(1, {});
  ASSERT_TRUE(this->Write({}, At({{5, 1}}),
                          {FieldsChange("1", {{"m", "1"}, {"n", "2"}}, true),
                           FieldsChange("2", {{"m", "1"}, {"n", "2"}}, true)})
                  .ok());
  ASSERT_TRUE(
      this->Write(At({{5, 1}}), At({{5, 2}}),
                  {FieldsChange("1", {{"n", "3"}}, false), FieldsChange("2", {{"n", "4"}}, true)})
          .ok());
  EXPECT_EQ(this->bench_.rows(), (Rows{{"likes:1", {"", {{"m", "1"}, {"n", "3"}}, true}},
                                       {"likes:2", {"", {{"n", "4"}}, true}}}));
  ASSERT_TRUE(
      this->Write(At({{5, 2}}), At({{5, 3}}), {FieldsChange("1", {{"m", {}}}, false)}).ok());
  EXPECT_EQ(this->bench_.rows()["likes:1"], (MemoryRow{"", {{"n", "3"}}, true}));
}

// Goal:   a rebuild begins with nothing.
TYPED_TEST_P(SinkConformance, BeginsAnew) {
  this->ExpectAt(1, {});
  ASSERT_TRUE(this->Write({}, At({{0, 2}, {5, 1}}), {ValueChange("1", "10")}).ok());
  Batch batch;
  batch.anew = true;
  batch.to = At({{0, 3}, {7, 4}});
  batch.changes = {ValueChange("2", "20")};
  const Status written = this->sink().Write(batch);
  ASSERT_TRUE(written.ok()) << written.error().message;
  this->bench_.Reopen();
  this->ExpectAt(1, At({{0, 3}, {7, 4}}));
  EXPECT_EQ(this->bench_.rows(), (Rows{{"likes:2", {"20", {}, false}}}));
}

// Goal:   a batch may move the position alone.
TYPED_TEST_P(SinkConformance, MovesWithoutRows) {
  this->ExpectAt(1, {});
  ASSERT_TRUE(this->Write({}, At({{5, 1}}), {}).ok());
  ASSERT_TRUE(this->Write(At({{5, 1}}), At({{5, 2}}), {}).ok());
  this->bench_.Reopen();
  this->ExpectAt(1, At({{5, 2}}));
  EXPECT_TRUE(this->bench_.rows().empty());
}

// Goal:   who has nothing to write can see where it is.
TYPED_TEST_P(SinkConformance, TellsWhereItIs) {
  EXPECT_FALSE(this->sink().Look().has_value());
  this->ExpectAt(1, {});
  EXPECT_EQ(this->sink().Look().value(), Position());
  ASSERT_TRUE(this->Write({}, At({{0, 2}, {5, 3}}), {ValueChange("1", "10")}).ok());
  EXPECT_EQ(this->sink().Look().value(), At({{0, 2}, {5, 3}}));
}

REGISTER_TYPED_TEST_SUITE_P(SinkConformance, KeepsRowsAndPosition, RefusesABatchThatDoesNotFollow,
                            FencesEarlierEpochs, WritesFields, BeginsAnew, MovesWithoutRows,
                            TellsWhereItIs);

}  // namespace sluice::project
