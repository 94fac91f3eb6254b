// DayWindow: "02:00-05:00", a part of each day, UTC; over midnight when it ends before it begins.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace sluice::config {

struct DayWindow {
  uint32_t from = 0, to = 0;  // minutes since midnight: [from, to)

  bool operator==(const DayWindow&) const = default;
};

// kInvalid: it is not written like that, or is empty.
Result<DayWindow> ParseDayWindow(std::string_view text);

}  // namespace sluice::config
