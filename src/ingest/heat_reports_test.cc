// What lanes tell of their heat (ingest/heat_reports.h).
#include "ingest/heat_reports.h"

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

HeatReport Of(uint16_t lane, uint64_t upto) {
  HeatReport report;
  report.lane = model::LaneId(lane);
  report.upto = model::Lsn(upto);
  return report;
}

// Goal:   nothing is told of a write before it is durable, and then it is, once and in order.
// Method: reports of two lanes up to various records; the log moves on one by one.
TEST(HeatReports, TellOnlyWhatIsDurable) {
  HeatReports reports;
  for (const auto& [lane, upto] : {std::pair{0, 3}, {1, 5}, {0, 7}}) {
    reports.Put(Of(static_cast<uint16_t>(lane), static_cast<uint64_t>(upto)));
  }
  std::vector<uint64_t> told;
  for (uint64_t durable = 0; durable <= 8; ++durable) {
    for (const HeatReport& report : reports.Take(model::Lsn(durable))) {
      EXPECT_EQ(report.upto.value, durable);
      told.push_back(report.upto.value);
    }
  }
  EXPECT_EQ(told, (std::vector<uint64_t>{3, 5, 7}));
}

// Goal:   while nobody takes them, or the log is stuck, they are few, and the newest of each lane.
TEST(HeatReports, AreBounded) {
  HeatReports reports;
  for (uint64_t second = 1; second <= 100; ++second) {
    for (uint16_t lane = 0; lane < 3; ++lane) reports.Put(Of(lane, second));
  }
  const std::vector<HeatReport> left = reports.Take(model::Lsn(1'000));
  ASSERT_EQ(left.size(), 3 * kReportsWaiting);
  for (const HeatReport& report : left) EXPECT_GT(report.upto.value, 100 - kReportsWaiting);
}

}  // namespace
}  // namespace sluice::ingest
