// `sluice-sim --scale`: a fleet and its balancer in simulated time.
#pragma once

namespace sluice::sim::scale {

// `argv`: what follows --scale. Exit status: 0 every event was digested in time, 1 one was not, or
// the chart cannot be written; 2 wrong usage.
int ScaleMain(int argc, char** argv);

}  // namespace sluice::sim::scale
