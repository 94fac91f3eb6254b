#include "cli/heat_chart.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <iterator>
#include <string_view>

#include "cli/bench_chart.h"

namespace sluice::cli {
namespace {

constexpr double kWidth = 960, kLeft = 22, kRight = 74, kTop = 62;
constexpr double kMapHeight = 256, kPanelHeight = kMapHeight + 74;
constexpr size_t kShades = 8;
constexpr double kDecades = 3;     // that the colours tell apart
constexpr double kMarkApart = 12;  // between shards' names
constexpr size_t kTimesMarked = 6;

constexpr std::string_view kStyle = R"(
text { font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: #5f5e5a }
.ground { fill: #fcfcfb } .name { font-size: 17px; font-weight: 600; fill: #1a1a19 }
.head { font-size: 13px; font-weight: 600; fill: #1a1a19 } .edge { fill: none; stroke: #b5b4ae }
.h { fill: none; stroke-width: 1 } .k0 { stroke: #f1f0ec } .k1 { stroke: #d7e3f4 }
.k2 { stroke: #a9c8ec } .k3 { stroke: #6fa3df } .k4 { stroke: #3f7ac6 } .k5 { stroke: #3a4fa3 }
.k6 { stroke: #5b2a86 } .k7 { stroke: #7d1145 }
@media (prefers-color-scheme: dark) {
text { fill: #a9a8a2 } .ground { fill: #1a1a19 } .name, .head { fill: #f1f0ec }
.edge { stroke: #5c5b56 } .k0 { stroke: #262624 } .k1 { stroke: #1d2c44 } .k2 { stroke: #1f4470 }
.k3 { stroke: #2a669e } .k4 { stroke: #4a8fb8 } .k5 { stroke: #8bb98f } .k6 { stroke: #e6c65b }
.k7 { stroke: #fff3b0 }
}
)";

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&') {
      escaped += c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;";
    } else {
      escaped += c >= ' ' && c <= '~' ? c : '?';
    }
  }
  return escaped;
}

size_t StepsOf(const HeatPanel& panel) {
  return panel.writes.empty() ? 0 : panel.writes[0].size();
}

HeatPanel Thinned(const HeatPanel& panel) {
  const size_t together = (panel.writes.size() + kHeatRowsMax - 1) / kHeatRowsMax;
  if (together <= 1) return panel;
  HeatPanel thin = panel;
  thin.writes.clear();
  for (size_t i = 0; i < panel.writes.size(); ++i) {
    if (i % together == 0) {
      thin.writes.push_back(panel.writes[i]);
      continue;
    }
    for (size_t step = 0; step < panel.writes[i].size(); ++step) {
      std::optional<double>& sum = thin.writes.back()[step];
      if (panel.writes[i][step]) sum = sum.value_or(0) + *panel.writes[i][step];
    }
  }
  for (auto& [name, row] : thin.shards) row /= together;
  return thin;
}

// Shade 0: no writes; the last one: about the most.
size_t ShadeOf(double value, double most) {
  if (value <= 0 || most <= 0) return 0;
  const double share = 1 + std::log10(value / most) / kDecades;
  const double shade = 1 + share * (kShades - 1);
  return static_cast<size_t>(std::clamp(shade, 1.0, kShades - 1.0));
}

class Drawing {
 public:
  std::string Draw(const std::vector<HeatPanel>& panels) {
    const double height = kTop + kPanelHeight * static_cast<double>(panels.size());
    Add(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" )"
        R"(height="{1}" role="img" aria-labelledby="t d">)",
        kWidth, height);
    Add("<title id=\"t\">Heat of keyspaces</title>");
    Add("<desc id=\"d\">Writes a second, by time from left to right and token from top to bottom. "
        "{}</desc>",
        Described(panels));
    Add("<style>{}</style>", kStyle);
    Add(R"(<rect class="ground" width="{}" height="{}"/>)", kWidth, height);
    Add(R"(<text class="name" x="{}" y="30">Heat</text>)", kLeft);
    Add(R"(<text x="{}" y="48">times are UTC; shards begin where their numbers stand</text>)",
        kLeft);
    double top = kTop;
    for (const HeatPanel& panel : panels) {
      Panel(Thinned(panel), top);
      top += kPanelHeight;
    }
    Add("</svg>");
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void Add(fmt::format_string<Args...> text, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), text, std::forward<Args>(args)...);
    out_ += '\n';
  }

  static double MostOf(const HeatPanel& panel) {
    double most = 0;
    for (const auto& row : panel.writes) {
      for (const auto& value : row) most = std::max(most, value.value_or(0));
    }
    return most;
  }

  static std::string Described(const std::vector<HeatPanel>& panels) {
    std::string text;
    for (const HeatPanel& panel : panels) {
      text += fmt::format("{}: {} stretches of tokens, {} shards. ", Escaped(panel.keyspace),
                          panel.writes.size(), panel.shards.size());
    }
    return text;
  }

  void Panel(const HeatPanel& panel, double top) {
    const double most = MostOf(panel);
    Add(R"(<text class="head" x="{}" y="{:.0f}">{}</text>)", kLeft, top + 14,
        Escaped(panel.keyspace));
    Add(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="end">at most {} writes/s in {} min and row</text>)",
        kWidth - kRight, top + 14, ChartNumber(most), panel.step_s / 60);
    const double map = top + 24, wide = kWidth - kLeft - kRight;
    const size_t steps = StepsOf(panel);
    if (steps > 0) {
      Add(R"~(<g transform="translate({} {:.0f}) scale({:.5f} {:.5f})" shape-rendering="crispEdges">)~",
          kLeft, map, wide / static_cast<double>(steps),
          kMapHeight / static_cast<double>(panel.writes.size()));
      Cells(panel, most);
      Add("</g>");
    }
    Add(R"(<rect class="edge" x="{}" y="{:.0f}" width="{}" height="{}"/>)", kLeft, map, wide,
        kMapHeight);
    Shards(panel, map);
    Times(panel, map + kMapHeight + 18, wide);
  }

  // A path for each shade, of runs of steps: a small drawing whatever the map.
  void Cells(const HeatPanel& panel, double most) {
    std::vector<std::string> paths(kShades);
    for (size_t y = 0; y < panel.writes.size(); ++y) {
      const auto& row = panel.writes[y];
      for (size_t x = 0; x < row.size();) {
        size_t end = x + 1;
        if (row[x]) {
          const size_t shade = ShadeOf(*row[x], most);
          while (end < row.size() && row[end] && ShadeOf(*row[end], most) == shade) ++end;
          paths[shade] += fmt::format("M{} {}.5h{}", x, y, end - x);
        }
        x = end;
      }
    }
    for (size_t shade = 0; shade < kShades; ++shade) {
      if (paths[shade].empty()) continue;
      Add(R"(<path class="h k{}" d="{}"/>)", shade, paths[shade]);
    }
  }

  void Shards(const HeatPanel& panel, double top) {
    double last = -kMarkApart;
    for (const auto& [name, row] : panel.shards) {
      const double at =
          kMapHeight * static_cast<double>(row) / static_cast<double>(panel.writes.size());
      if (at - last < kMarkApart) continue;
      last = at;
      Add(R"(<path class="edge" d="M{:.0f} {:.1f}h8"/>)", kWidth - kRight, top + at);
      Add(R"(<text x="{:.0f}" y="{:.1f}">{}</text>)", kWidth - kRight + 12, top + at + 10,
          Escaped(name));
    }
  }

  void Times(const HeatPanel& panel, double y, double wide) {
    const size_t steps = StepsOf(panel);
    if (steps == 0) {
      Add(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="middle">nothing was written</text>)",
          kLeft + wide / 2, y - kMapHeight / 2);
      return;
    }
    for (size_t i = 0; i <= kTimesMarked; ++i) {
      const auto seconds =
          static_cast<std::time_t>(panel.from_s + panel.step_s * steps * i / kTimesMarked);
      const std::tm at = fmt::gmtime(seconds);
      Add(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="{}">{}</text>)",
          kLeft + wide * static_cast<double>(i) / kTimesMarked, y,
          i == 0              ? "start"
          : i == kTimesMarked ? "end"
                              : "middle",
          panel.step_s > 60 ? fmt::format("{:%m-%d %H:%M}", at) : fmt::format("{:%H:%M}", at));
    }
  }

  std::string out_;
};

}  // namespace

std::string HeatSvg(const std::vector<HeatPanel>& panels) {
  return Drawing().Draw(panels);
}

}  // namespace sluice::cli
