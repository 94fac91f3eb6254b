#include "cli/bench_chart.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/prng.h"

namespace sluice::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// Takes ` name="value"` off the front, as often as there is one.
void TakeAttributes(std::string_view* tag) {
  while (tag->starts_with(' ')) {
    const size_t begin = tag->find("=\"");
    if (begin == std::string_view::npos) return;
    tag->remove_prefix(begin + 2);
    tag->remove_prefix(std::min(tag->size(), tag->find('"') + 1));
  }
}

// Every element is closed in order, attributes are quoted, and no bare < or & is in a text.
void ExpectWellFormed(std::string_view svg) {
  std::vector<std::string> open;
  while (!svg.empty()) {
    const std::string_view text = svg.substr(0, svg.find('<'));
    for (size_t at = text.find('&'); at != text.npos; at = text.find('&', at + 1)) {
      const std::string_view entity = text.substr(at, text.find(';', at) - at);
      EXPECT_TRUE(entity == "&lt" || entity == "&gt" || entity == "&amp") << text;
    }
    svg.remove_prefix(text.size());
    if (svg.empty()) break;
    std::string_view tag = svg.substr(1, svg.find('>') - 1);
    svg.remove_prefix(tag.size() + 2);
    if (tag.starts_with('/')) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), tag.substr(1));
      open.pop_back();
      continue;
    }
    const std::string name(tag.substr(0, tag.find_first_of(" /")));
    tag.remove_prefix(name.size());
    TakeAttributes(&tag);
    ASSERT_TRUE(tag.empty() || tag == "/") << tag;
    if (tag.empty()) open.push_back(name);
  }
  EXPECT_TRUE(open.empty());
}

// Each point of each line lies inside the drawing.
void ExpectInside(std::string_view svg) {
  constexpr std::string_view kLine = "<path class=\"line";
  for (size_t at = svg.find(kLine); at != svg.npos; at = svg.find(kLine, at + 1)) {
    std::string path(svg.substr(at, svg.find("/>", at) - at));
    path = path.substr(path.find("d=\"") + 3);
    EXPECT_THAT(path, Not(HasSubstr("nan")));
    while (path.find("h0") != path.npos) path.erase(path.find("h0"), 2);
    for (char& c : path) c = c == '.' || (c >= '0' && c <= '9') || c == '-' ? c : ' ';
    std::istringstream numbers(path);
    for (double x = 0, y = 0; numbers >> x >> y;) {
      EXPECT_TRUE(x > 0 && x <= 900 && y >= 0 && y < 900) << path;
    }
  }
}

Chart Drawn(size_t panels, std::vector<std::vector<double>> values) {
  Chart chart{.title = "a", .note = "b"};
  for (size_t i = 0; i < values.size(); ++i) chart.series.push_back(fmt::format("s{}", i));
  for (size_t i = 0; i < panels; ++i) {
    chart.panels.push_back({.title = "p", .unit = "ms", .log = i % 2 == 1, .values = values});
  }
  return chart;
}

// Goal:   whatever is drawn is well-formed XML inside its frame, and needs nothing from elsewhere.
// Method: no points, one, zeros, gaps, huge and tiny values, more points than are drawn; linear and
//         logarithmic; names with what XML forbids.
TEST(BenchChart, IsWellFormed) {
  std::vector<double> many;
  Prng prng(3);
  for (int i = 0; i < 9'999; ++i) many.push_back(static_cast<double>(prng.Below(1'000)));
  const std::vector<std::vector<double>> shapes[] = {
      {},          {{}},          {{5}},
      {{0, 0}},    {{kChartGap}}, {{1, kChartGap, 3, kChartGap}, {2, 2, 2, 2}},
      {{1e-9, 1}}, {{1e15, 3}},   {many, many, many, many, many, many}};
  for (const auto& values : shapes) {
    Chart chart = Drawn(4, values);
    chart.title = "<script>&\"'\x01\xff {value}";
    chart.note = "]]> -- & <";
    chart.dashed = "due";
    if (!values.empty()) chart.panels[0].dashed = values[0];
    const std::string svg = ChartSvg(chart);
    ExpectWellFormed(svg);
    ExpectInside(svg);
    EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
    for (const char* foreign : {"href", "url(", "@import", "<script", "font-face"}) {
      EXPECT_THAT(svg, Not(HasSubstr(foreign)));
    }
    EXPECT_EQ(Count(svg, "http"), 1u) << "the name of SVG itself";
    EXPECT_LT(svg.size(), 1u << 20);
  }
}

// Goal:   axes have ticks with units, the legend has every name, and a line each point.
// Method: known values; where they lie.
TEST(BenchChart, ShowsItsValues) {
  Chart chart = Drawn(1, {{0, 1'000, 2'000}, {500, kChartGap, 500}});
  chart.panels[0].unit = "/s";
  chart.dashed = "due";
  chart.panels[0].dashed = {2'000, 2'000, 2'000};
  const std::string svg = ChartSvg(chart);
  for (const char* text : {">s0<", ">s1<", ">due<", ">p, /s<", ">1k<", ">2k<", ">seconds<"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  const double height = std::stod(svg.substr(svg.find("height=\"") + 8));
  const size_t lowest = svg.rfind("\" y=\"", svg.find(">seconds<"));
  EXPECT_LT(std::stod(svg.substr(lowest + 5)) + 4, height) << "a letter hangs below its line";
  // Panel from y 110 to 228, time from x 62 to 878: 0 at the bottom, the greatest at the top.
  EXPECT_THAT(svg, HasSubstr("d=\"M334.0 228.0h0L606.0 169.0L878.0 110.0\""));
  EXPECT_THAT(svg, HasSubstr("d=\"M334.0 198.5h0M878.0 198.5h0\"")) << "a gap is no line";
  chart.panels[0].values = {{0, 0, 0}};
  chart.panels[0].dashed.clear();
  EXPECT_THAT(ChartSvg(chart), HasSubstr(">none<"));
}

// Goal:   a peak is seen, however many points there are.
// Method: one high value among ten thousand low ones, at several places.
TEST(BenchChart, KeepsPeaks) {
  for (const size_t at : {0, 1, 4'999, 9'999}) {
    std::vector<double> values(10'000, 1);
    values[at] = 1'000;
    EXPECT_THAT(ChartSvg(Drawn(1, {values})), HasSubstr(" 110.0")) << at;
  }
}

TEST(BenchChart, WritesNumbers) {
  EXPECT_EQ(ChartNumber(0), "0");
  EXPECT_EQ(ChartNumber(0.25), "0.25");
  EXPECT_EQ(ChartNumber(999), "999");
  EXPECT_EQ(ChartNumber(1'000), "1k");
  EXPECT_EQ(ChartNumber(1'234'567), "1.23M");
  EXPECT_EQ(ChartNumber(2e9), "2G");
}

}  // namespace
}  // namespace sluice::cli
