// What the controller saw and allowed.
#pragma once

#include "admit/controller.h"
#include "meter/meter.h"

namespace sluice::admit {

inline constexpr meter::Label<Cause, kCauses> kCause{"cause",
                                                     {"log", "buffers", "store", "projection"}};
inline constexpr meter::Label<model::Priority, kPriorities> kClass{
    "class", {"critical", "normal", "low", "background"}};

struct BudgetMeters : meter::Set {
  meter::Per<meter::Gauge, kCause> pressure{
      *this, "sluice_admit_pressure_percent",
      "How near the node is to a bound: at 50 writes begin to be held back, 100 is as it should be "
      "under load, 200 is the bound."};
  meter::Gauge lanes{*this, "sluice_admit_lanes_percent",
                     "The same of how long critical and normal work waits for its lane; only work "
                     "in the background is held back by it."};
  meter::Gauge limited{*this, "sluice_admit_limited", "1 while writes are held back."};
  meter::Counter limited_steps{*this, "sluice_admit_limited_steps_total",
                               "Steps of the controller at which writes were held back."};
  meter::Per<meter::Gauge, kClass> allowed{
      *this, "sluice_admit_allowed_units",
      "Write units a second that the class may use; 0 of all while nothing is held back."};
  meter::Gauge background{*this, "sluice_admit_background_percent",
                          "Share of its time that work in the background may use."};
};

}  // namespace sluice::admit
