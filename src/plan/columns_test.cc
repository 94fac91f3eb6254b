#include "plan/columns.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/prng.h"

namespace sluice::plan {
namespace {

void AddRow(Columns& columns, const std::vector<std::string>& row) {
  const std::vector<std::string_view> cells(row.begin(), row.end());
  columns.Add(cells);
}

// Goal:   distinct values and the busiest one are exact while there is room for all, and near the
//         truth when there is not.
// Method: columns of known content, from a few values to twice what there is room for, the
//         busiest with a known share.
TEST(Columns, CountsExactlyAndThenNearly) {
  for (const uint64_t values : {uint64_t{1}, uint64_t{7}, uint64_t{5'000}, 2 * kValuesMax}) {
    Columns columns;
    Prng prng(values);
    const uint64_t rows = std::max<uint64_t>(20'000, values);
    for (uint64_t i = 0; i < rows; ++i) {
      const uint64_t value = i % 10 == 0 ? 0 : i % values;  // each at least once but for the tenths
      const std::string text = fmt::format("v{}", value);
      const std::string_view cell = text;
      columns.Add({&cell, 1});
    }
    const ColumnFact fact = columns.Fact(0);
    const auto truth = static_cast<double>(values > 10'000 ? rows - rows / 10 + 1
                                                           : std::min<uint64_t>(values, rows));
    EXPECT_EQ(fact.exact, values <= kValuesMax) << values;
    EXPECT_NEAR(fact.distinct, truth, fact.exact ? truth * 0.101 : truth * 0.02) << values;
    const double share = static_cast<double>(fact.top_count) / static_cast<double>(rows);
    EXPECT_GE(share, 0.099) << values;
    EXPECT_EQ(fact.top_value, "v0") << values;
    EXPECT_EQ(fact.rows, rows);
  }
}

// Goal:   memory does not grow with the rows.
// Method: more distinct values in four columns than there is room for; what is held, is counted.
TEST(Columns, HoldsABoundedNumberOfValuesAndRows) {
  Values values;
  for (uint64_t i = 1; i <= 100'000; ++i) {
    values.Add(i * 0x9e3779b97f4a7c15);
    if (values.held() > 1'000) values.Halve();
    ASSERT_LE(values.held(), 1'000u);
  }
  EXPECT_NEAR(values.distinct(), 100'000, 20'000);
  RowSample sample;
  const std::string cell(RowSample::kCellMax * 2, 'x');
  const std::vector<std::string_view> row(kColumnsMost, cell);
  for (size_t i = 0; i < 3 * RowSample::kBytesMax / (kColumnsMost * RowSample::kCellMax); ++i) {
    sample.Add(row);
  }
  EXPECT_GT(sample.stride(), 1u);
  EXPECT_LE(sample.rows().size() * kColumnsMost * RowSample::kCellMax, RowSample::kBytesMax);
  EXPECT_EQ(sample.rows()[0].cell(0).size(), RowSample::kCellMax);
}

// Goal:   of rows that share a value, it is known how many keep those of the others.
// Method: orders that come three times each, their customer the same, their state another each
//         time; more orders than groups are looked at.
TEST(Columns, SeesWhatChangesWithinAGroup) {
  Columns columns;
  for (int state = 0; state < 3; ++state) {
    for (int order = 0; order < 5'000; ++order) {
      AddRow(columns, {fmt::format("order-{}", order), fmt::format("customer-{}", order / 7),
                       fmt::format("{}", state)});
    }
  }
  const Groups& orders = columns.groups(0);
  EXPECT_GT(orders.repeats(), 300u);
  EXPECT_EQ(orders.differing(1), 0u);
  EXPECT_EQ(orders.differing(2), orders.repeats());
  EXPECT_EQ(orders.differing(99), 0u);
}

// Goal:   values are taken for what they are.
// Method: one text for each way of writing that is known, and for what looks like it.
TEST(Columns, TellsTimesFromNumbersAndText) {
  for (const std::string_view time :
       {"2006-04-07 17:08", "2024-02-29", "2024/2/9", "2024-01-31T10:00:00Z",
        "2024-01-31T10:00:00.123+02:00", "31.12.2024", "12/31/2024 11:59 PM", "1999-12-31"}) {
    EXPECT_TRUE(IsTime(time)) << time;
  }
  for (const std::string_view other : {"", "2024", "2024-13-01", "1-2-3", "10.0.0.1", "2024-01-",
                                       "2024-01-31x", "2024-01-31 ok", "555-123-4567"}) {
    EXPECT_FALSE(IsTime(other)) << other;
  }
  EXPECT_TRUE(CouldBeTime("1795885848"));
  EXPECT_TRUE(CouldBeTime("1795885848406"));
  EXPECT_TRUE(CouldBeTime("20240131"));
  EXPECT_FALSE(CouldBeTime("42"));
  EXPECT_FALSE(CouldBeTime("20241331"));
  EXPECT_FALSE(CouldBeTime("9999999999"));
  EXPECT_TRUE(NamesTime("created_at"));
  EXPECT_TRUE(NamesTime("Timestamp"));
  EXPECT_FALSE(NamesTime("customer_id"));
  Columns columns;
  for (int i = 0; i < 100; ++i) {
    AddRow(columns, {fmt::format("{}", i), fmt::format("{}.5", i), "2024-01-01", "x",
                     fmt::format("{}", 1'700'000'000 + i), i % 2 == 0 ? "DE" : "IN",
                     "a sentence that somebody wrote about it", ""});
  }
  EXPECT_EQ(columns.Fact(0).kind, Kind::kNumber);
  EXPECT_EQ(columns.Fact(1).kind, Kind::kDecimal);
  EXPECT_EQ(columns.Fact(2).kind, Kind::kTime);
  EXPECT_EQ(columns.Fact(2).time_unit, "day");
  EXPECT_EQ(columns.Fact(3).kind, Kind::kText);
  EXPECT_TRUE(columns.Fact(4).could_be_time);
  EXPECT_TRUE(columns.Fact(5).codes);
  EXPECT_TRUE(columns.Fact(5).words);
  EXPECT_FALSE(columns.Fact(0).words);
  EXPECT_TRUE(columns.Fact(6).sentences);
  EXPECT_EQ(columns.Fact(7).empty, 100u);
  EXPECT_EQ(columns.Fact(7).distinct, 0);
}

}  // namespace
}  // namespace sluice::plan
