// A chart of several panels, one below the other over one axis of time, as SVG.
//
// The drawing stands alone: no fonts, scripts or files from elsewhere. It follows the reader's
// choice of light or dark. Whoever cannot see it reads its title and description.
//
// Threads:  none.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace sluice::cli {

inline constexpr double kChartGap = std::numeric_limits<double>::quiet_NaN();  // no point here
inline constexpr size_t kChartSeriesMax = 4;  // colours that can be told apart; later ones repeat

struct ChartPanel {
  std::string title, unit;
  bool log = false;                              // a logarithmic scale; values <= 0 are gaps
  std::vector<std::vector<double>> values = {};  // of each series, a point for each step of time
  std::vector<double> dashed = {};               // one line more, for comparison; may be empty
};

struct Chart {
  std::string title, note;
  double seconds_per_point = 1;
  std::vector<std::string> series = {};  // names, for the legend
  std::string dashed = {};               // name of the dashed line
  std::vector<ChartPanel> panels = {};
};

std::string ChartSvg(const Chart& chart);

// 1234567 as "1.23M", 0.25 as "0.25".
std::string ChartNumber(double value);

}  // namespace sluice::cli
