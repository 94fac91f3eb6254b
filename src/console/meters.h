// What the HTTP server counts.
#pragma once

#include <cstdint>

#include "meter/meter.h"

namespace sluice::console {

enum class Answered : uint8_t { kOk, kBadRequest, kUnauthorized, kOtherRefusal, kServerError };
inline constexpr meter::Label<Answered, 5> kAnswered{
    "answer", {"ok", "bad_request", "unauthorized", "other_refusal", "server_error"}};

struct Meters : meter::Set {
  meter::Per<meter::Counter, kAnswered> requests{*this, "sluice_console_requests_total",
                                                 "HTTP requests, by how they were answered."};
  meter::Histogram time{*this,
                        "sluice_console_request_seconds",
                        "Time to make the answer to one HTTP request.",
                        {.unit = meter::Unit::kMicroseconds}};
  meter::Gauge open{*this, "sluice_console_connections_open", "HTTP connections that are open."};
  meter::Counter turned_off{*this, "sluice_console_connections_turned_off_total",
                            "HTTP connections closed at once because too many were open."};
  meter::Counter timeouts{*this, "sluice_console_timeouts_total",
                          "HTTP connections closed because the client was too slow or idle."};
};

}  // namespace sluice::console
