#include "cli/bench_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace sluice::cli {
namespace {

constexpr double kWidth = 900, kLeft = 62, kRight = 22;
constexpr double kHead = 96, kPanelHeight = 118, kPanelGap = 46, kFoot = 60;
constexpr double kLegendAt = 70;
constexpr double kLetter = 7;         // about as wide as one of the legend's
constexpr size_t kPointsMax = 2'000;  // of a line; of more, each stands for the greatest of several
constexpr double kDecadesMost = 12;   // of a logarithmic axis

constexpr std::string_view kStyle = R"(
text { font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: #5f5e5a }
.ground { fill: #fcfcfb } .name { font-size: 17px; font-weight: 600; fill: #1a1a19 }
.head { font-size: 13px; font-weight: 600; fill: #1a1a19 } .key { fill: #1a1a19 }
.grid { stroke: #e8e7e3 } .base { stroke: #b5b4ae }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.c0 { stroke: #2a78d6 } .c1 { stroke: #12905f } .c2 { stroke: #e0601f } .c3 { stroke: #6a4fc4 }
.due { stroke: #85847e; stroke-width: 1.5; stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
text { fill: #a9a8a2 } .ground { fill: #1a1a19 } .name, .head, .key { fill: #f1f0ec }
.grid { stroke: #32322f } .base { stroke: #5c5b56 }
.c0 { stroke: #4c94ec } .c1 { stroke: #2bb583 } .c2 { stroke: #f0804a } .c3 { stroke: #9a86ea }
.due { stroke: #8f8e88 }
}
)";

// Words come from the command line: what is no letter of ASCII or has a meaning in SVG is replaced.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      escaped += c >= ' ' && c <= '~' ? c : '?';
    }
  }
  return escaped;
}

// The least of 1, 2, 5 times a power of ten that `value` does not exceed.
double NiceAbove(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double times : {1, 2, 5}) {
    if (times * power >= value * (1 - 1e-9)) return times * power;
  }
  return 10 * power;
}

// Where values lie on an axis of length 1, and the values that are marked.
struct Scale {
  bool log = false;
  double least = 0, most = 1;
  std::vector<double> ticks;

  double At(double value) const {
    if (!log) return (value - least) / (most - least);
    return std::log10(value / least) / std::log10(most / least);
  }
};

Scale Linear(double most, int ticks) {
  Scale scale;
  if (most <= 0) {
    scale.ticks = {0};
    return scale;
  }
  const double step = NiceAbove(most / ticks);
  scale.most = step * std::ceil(most / step - 1e-9);
  for (int i = 0; i * step < scale.most * (1 + 1e-9); ++i) scale.ticks.push_back(i * step);
  return scale;
}

Scale Logarithmic(double least, double most) {
  Scale scale{.log = true, .least = 0, .most = 0, .ticks = {}};
  scale.least = std::pow(10, std::floor(std::log10(least) + 1e-9));
  scale.most = std::pow(10, std::ceil(std::log10(most) - 1e-9));
  scale.least = std::max(scale.least, scale.most / std::pow(10, kDecadesMost));
  if (scale.most <= scale.least) scale.most = 10 * scale.least;
  const bool short_axis = scale.most / scale.least < 50;
  for (double decade = scale.least; decade <= scale.most * 1.001; decade *= 10) {
    for (const double times : {1, 2, 5}) {
      if (times > 1 && (!short_axis || times * decade > scale.most)) continue;
      scale.ticks.push_back(times * decade);
    }
  }
  return scale;
}

bool Shown(const ChartPanel& panel, double value) {
  return !std::isnan(value) && (!panel.log || value > 0);
}

// Long lines are thinned out: a point for each `step`, the greatest of them.
std::vector<double> Thinned(const std::vector<double>& values, size_t step) {
  std::vector<double> thinned;
  for (size_t i = 0; i < values.size(); i += step) {
    double greatest = kChartGap;
    for (size_t j = i; j < std::min(values.size(), i + step); ++j) {
      greatest = std::fmax(greatest, values[j]);
    }
    thinned.push_back(greatest);
  }
  return thinned;
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) {
    for (const ChartPanel& panel : chart.panels) {
      for (const auto& values : panel.values) points_ = std::max(points_, values.size());
    }
    step_ = std::max<size_t>(1, (points_ + kPointsMax - 1) / kPointsMax);
    time_ = Linear(std::max(1.0, static_cast<double>(points_)) * chart.seconds_per_point, 12);
    time_.most = std::max(1.0, static_cast<double>(points_)) * chart.seconds_per_point;
  }

  std::string Draw() {
    const double height = kHead +
                          static_cast<double>(chart_.panels.size()) * (kPanelHeight + kPanelGap) +
                          kFoot - kPanelGap;
    Add(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" )"
        R"(height="{1}" role="img" aria-labelledby="t d">)",
        kWidth, height);
    Add("<title id=\"t\">{}</title>", Escaped(chart_.title));
    Add("<desc id=\"d\">{}</desc>", Escaped(Description()));
    Add("<style>{}</style>", kStyle);
    Add(R"(<rect class="ground" width="{}" height="{}"/>)", kWidth, height);
    Add(R"(<text class="name" x="{}" y="28">{}</text>)", kLeft, Escaped(chart_.title));
    Add(R"(<text x="{}" y="48">{}</text>)", kLeft, Escaped(chart_.note));
    Legend();
    double top = kHead + 14;
    for (const ChartPanel& panel : chart_.panels) {
      Panel(panel, top);
      top += kPanelHeight + kPanelGap;
    }
    Times(top - kPanelGap);
    Add("</svg>");
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void Add(fmt::format_string<Args...> text, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), text, std::forward<Args>(args)...);
    out_ += '\n';
  }

  std::string Description() const {
    std::string text = chart_.note + ". Over time, from above:";
    for (const ChartPanel& panel : chart_.panels) {
      text += " " + panel.title + (panel.unit.empty() ? "" : ", " + panel.unit) + ";";
    }
    return text;
  }

  void Legend() {
    double x = kLeft;
    const auto entry = [&](std::string_view classes, std::string_view name) {
      if (name.empty()) return;
      Add(R"(<path class="{}" d="M{:.0f} {}h22"/>)", classes, x, kLegendAt - 4);
      Add(R"(<text class="key" x="{:.0f}" y="{}">{}</text>)", x + 29, kLegendAt, Escaped(name));
      x += 29 + kLetter * static_cast<double>(name.size()) + 20;
    };
    for (size_t i = 0; i < chart_.series.size(); ++i) {
      entry(fmt::format("line c{}", i % kChartSeriesMax), chart_.series[i]);
    }
    entry("line due", chart_.dashed);
  }

  Scale ScaleOf(const ChartPanel& panel) const {
    double least = INFINITY, most = 0;
    const auto look = [&](const std::vector<double>& values) {
      for (const double value : values) {
        if (!Shown(panel, value)) continue;
        least = std::min(least, value);
        most = std::max(most, value);
      }
    };
    for (const auto& values : panel.values) look(values);
    look(panel.dashed);
    return panel.log && most > 0 ? Logarithmic(least, most) : Linear(most, 3);
  }

  void Panel(const ChartPanel& panel, double top) {
    const Scale scale = ScaleOf(panel);
    const double bottom = top + kPanelHeight;
    Add(R"(<text class="head" x="{}" y="{:.0f}">{}</text>)", kLeft, top - 10,
        Escaped(panel.title + (panel.unit.empty() ? "" : ", " + panel.unit)));
    for (const double tick : scale.ticks) {
      const double y = bottom - scale.At(tick) * kPanelHeight;
      Add(R"(<path class="grid" d="M{} {:.1f}H{}"/>)", kLeft, y, kWidth - kRight);
      Add(R"(<text x="{}" y="{:.1f}" text-anchor="end">{}</text>)", kLeft - 8, y + 4,
          ChartNumber(tick));
    }
    for (const double tick : time_.ticks) {
      if (tick > time_.most) continue;
      Add(R"(<path class="grid" d="M{:.1f} {:.0f}V{:.0f}"/>)", X(tick), top, bottom);
    }
    Add(R"(<path class="base" d="M{} {:.0f}H{}"/>)", kLeft, bottom, kWidth - kRight);
    Path(panel, scale, bottom, panel.dashed, "line due");
    for (size_t i = panel.values.size(); i-- > 0;) {  // the first lies on top
      Path(panel, scale, bottom, panel.values[i], fmt::format("line c{}", i % kChartSeriesMax));
    }
    if (scale.ticks.size() == 1) {
      Add(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="middle">none</text>)",
          (kLeft + kWidth - kRight) / 2, bottom - kPanelHeight / 2);
    }
  }

  void Path(const ChartPanel& panel, const Scale& scale, double bottom,
            const std::vector<double>& values, std::string_view classes) {
    std::string path;
    bool drawing = false;
    const std::vector<double> thinned = Thinned(values, step_);
    for (size_t i = 0; i < thinned.size(); ++i) {
      if (!Shown(panel, thinned[i])) {
        drawing = false;
        continue;
      }
      const double seconds =
          static_cast<double>(std::min(points_, (i + 1) * step_)) * chart_.seconds_per_point;
      const double share = std::clamp(scale.At(thinned[i]), 0.0, 1.0);
      // "h0": a point between two gaps is seen as a dot.
      path += fmt::format("{}{:.1f} {:.1f}{}", drawing ? "L" : "M", X(seconds),
                          bottom - share * kPanelHeight, drawing ? "" : "h0");
      drawing = true;
    }
    if (!path.empty()) Add(R"(<path class="{}" d="{}"/>)", classes, path);
  }

  void Times(double bottom) {
    for (const double tick : time_.ticks) {
      if (tick > time_.most) continue;
      Add(R"(<text x="{:.1f}" y="{:.0f}" text-anchor="middle">{}</text>)", X(tick), bottom + 18,
          ChartNumber(tick));
    }
    Add(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="middle">seconds</text>)",
        (kLeft + kWidth - kRight) / 2, bottom + 36);
  }

  double X(double seconds) const {
    return kLeft + seconds / time_.most * (kWidth - kLeft - kRight);
  }

  const Chart& chart_;
  size_t points_ = 0, step_ = 1;
  Scale time_;
  std::string out_;
};

}  // namespace

std::string ChartNumber(double value) {
  constexpr std::pair<double, std::string_view> kUnits[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [size, unit] : kUnits) {
    if (value >= size * (1 - 1e-9)) return fmt::format("{:.3g}{}", value / size, unit);
  }
  return fmt::format("{:.3g}", value);
}

std::string ChartSvg(const Chart& chart) {
  return Drawing(chart).Draw();
}

}  // namespace sluice::cli
