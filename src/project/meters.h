// What a projection counts. One Set per projection.
#pragma once

#include "meter/meter.h"

namespace sluice::project {

struct Meters : meter::Set {
  meter::Counter rows{*this, "sluice_project_rows_total", "Rows written to sinks."};
  meter::Counter writes{*this, "sluice_project_writes_total",
                        "Client writes that these rows stand for."};
  meter::Counter batches{*this, "sluice_project_batches_total", "Batches written to sinks."};
  meter::Counter errors{*this, "sluice_project_errors_total",
                        "Answers of sinks that were failures; each is tried again."};
  meter::Histogram batch_rows{*this, "sluice_project_batch_rows", "Rows of one batch."};
  meter::Histogram seconds{*this,
                           "sluice_project_write_seconds",
                           "Time of one batch in its sink.",
                           {.unit = meter::Unit::kMicroseconds}};
};

}  // namespace sluice::project
