// A run for people: a table on the terminal, and a chart.
#pragma once

#include <string>

#include "sim/scale/run.h"

namespace sluice::sim::scale {

std::string Table(const Result& result);
std::string Svg(const Result& result);

}  // namespace sluice::sim::scale
