#include "cli/heat_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/shard_list.h"

namespace sluice::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

HeatPanel PanelOf(size_t rows, size_t steps, double rate) {
  HeatPanel panel;
  panel.keyspace = "likes";
  panel.from_s = 1'800'000'000;
  panel.writes.assign(rows, std::vector<std::optional<double>>(steps, rate));
  return panel;
}

// Goal:   a hot stretch is drawn where and when it was, in the strongest shade, cold ones in the
//         weakest, and what is not known is not drawn at all.
TEST(HeatSvg, DrawsEachStretchWhereItIs) {
  HeatPanel panel = PanelOf(4, 10, 0);
  for (size_t step = 6; step < 9; ++step) panel.writes[2][step] = 5'000;
  for (size_t step = 0; step < 5; ++step) panel.writes[3][step] = std::nullopt;
  panel.shards = {{"7", 0}, {"8", 2}};
  const std::string svg = HeatSvg({panel});
  EXPECT_THAT(svg, HasSubstr("<path class=\"h k7\" d=\"M6 2.5h3\"/>"));
  EXPECT_THAT(svg, HasSubstr("M0 0.5h10M0 1.5h10M0 2.5h6M9 2.5h1M5 3.5h5\"/>"));
  EXPECT_THAT(svg, HasSubstr("at most 5k writes/s"));
  EXPECT_THAT(svg, ContainsRegex(">8</text>"));
}

// Goal:   any map makes a drawing that stands alone, of bounded size.
// Method: no keyspaces, none that was written to, a thousand rows of noise, names with markup.
TEST(HeatSvg, StandsAlone) {
  HeatPanel large = PanelOf(1'000, 360, 1);
  for (size_t y = 0; y < 1'000; ++y) {
    for (size_t x = 0; x < 360; ++x)
      large.writes[y][x] = static_cast<double>((x * 7 + y * 13) % 97);
  }
  for (size_t i = 0; i < 1'000; ++i) large.shards.emplace_back("12", i);
  HeatPanel empty = PanelOf(1, 0, 0);
  empty.keyspace = "<b>&\"";
  for (const std::vector<HeatPanel>& panels :
       {std::vector<HeatPanel>{}, {empty}, {large, empty}, {HeatPanel{}}}) {
    const std::string svg = HeatSvg(panels);
    EXPECT_LT(svg.size(), 512u << 10);
    EXPECT_THAT(svg, HasSubstr("</svg>"));
    EXPECT_THAT(svg, Not(HasSubstr("<b>")));
    EXPECT_THAT(svg, Not(HasSubstr("href")));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
  }
}

// Goal:   the hottest shard of each keyspace comes first, beside the mean, and is warned of when it
//         stands out; what is not known is no number.
TEST(PrintShards, NamesTheShardThatStandsOut) {
  std::vector<nlohmann::ordered_json> shards;
  for (int i = 0; i < 11; ++i) {
    shards.push_back({{"shard", 20 + i},
                      {"keyspace", "orders"},
                      {"lane", 0},
                      {"writes_per_second", i == 4 ? 25'000 : 9'500},
                      {"writes_per_second_1m", 9'500},
                      {"writes_per_second_10m", 9'500},
                      {"cpu_percent", 7},
                      {"p50_us", 340},
                      {"p99_us", nullptr},
                      {"queue_bytes", 0},
                      {"size", 1'000'000},
                      {"state", "serving"}});
  }
  shards.push_back(shards[0]);
  shards.back()["keyspace"] = "chat";
  std::ostringstream out;
  PrintShards(shards, out);
  const std::string text = out.str();
  EXPECT_LT(text.find("   24"), text.find("   20"));
  EXPECT_THAT(text, HasSubstr("2.3x"));
  EXPECT_THAT(text, HasSubstr("! shard 24 takes 2.3 times the mean"));
  EXPECT_EQ(text.find("takes", text.find("takes") + 1), std::string::npos);
  EXPECT_THAT(text, HasSubstr("340 us"));
  for (auto& shard : shards) shard["writes_per_second"] = 0;
  std::ostringstream idle;
  PrintShards(shards, idle);
  EXPECT_THAT(idle.str(), Not(HasSubstr("takes")));
}

}  // namespace
}  // namespace sluice::cli
