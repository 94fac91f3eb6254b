#include "cli/shard_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

// Goal:   a line says what a job is about, how far it is and what it waits for, and of one that has
//         ended what came of it; what is not known is left out.
TEST(JobLine, TellsWhatMatters) {
  Json job{
      {"job", 3},           {"kind", "merge"},       {"shards", {4, 5}},  {"state", "running"},
      {"phase", "cutover"}, {"percent", 40},         {"eta_ms", nullptr}, {"waits_for", "lane 1"},
      {"error", ""},        {"made", Json::array()}, {"took_ms", nullptr}};
  EXPECT_EQ(JobLine(job),
            "job 3 · merge of shard 4, 5 · running · cutover · 40 % · waits for lane 1");
  job["eta_ms"] = 1'200;
  job["waits_for"] = "";
  EXPECT_THAT(JobLine(job), testing::EndsWith("40 % · 1200 ms left"));
  job["state"] = "done";
  job["made"] = {6};
  job["took_ms"] = 85;
  EXPECT_EQ(JobLine(job), "job 3 · merge of shard 4, 5 · done · took 85 ms · made 6");
  job["state"] = "failed";
  job["made"] = Json::array();
  job["error"] = "shard 5 is gone";
  EXPECT_THAT(JobLine(job), testing::EndsWith("failed · took 85 ms · shard 5 is gone"));
  job["kind"] = "move";
  job["shards"] = {4};
  job["to"] = 1;
  job["error"] = "";
  job["verification"] = "two lanes";
  job["reason"] = "asked for by app at 10.0.0.1:5";
  EXPECT_EQ(JobLine(job),
            "job 3 · move of shard 4 to lane 1 · failed · took 85 ms · verification: two lanes · "
            "asked for by app at 10.0.0.1:5");
  EXPECT_EQ(JobLine(Json::object()), "job 0 ·  of shard  ·  ·  · 0 %");
}

}  // namespace
}  // namespace sluice::cli
