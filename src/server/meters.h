// What the connections of one lane count.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <span>
#include <string_view>

#include "admit/budget_meters.h"
#include "command/command.h"
#include "meter/meter.h"

namespace sluice::server {

// Why a write is told OVERLOADED, named as in its `reason=`.
enum class Overloaded : uint8_t {
  kLog,
  kBuffers,
  kStore,
  kProjection,
  kOnceBytes,
  kSeed,
  kUnreadReplies,
  kClients,
};
inline constexpr meter::Label<Overloaded, 8> kOverloaded{
    "reason",
    {"log", "buffers", "store", "projection", "once_bytes", "seed", "unread_replies", "clients"}};

struct Meters : meter::Set {
  meter::Counter opened{*this, "sluice_server_connections_total", "Connections accepted."};
  meter::Counter turned_off{*this, "sluice_server_refused_connections_total",
                            "Connections refused: maxclients was reached."};
  meter::Gauge connections{*this, "sluice_server_open_connections", "Connections that are open."};
  meter::Counter commands{*this, "sluice_server_commands_total", "Commands taken from clients."};
  meter::Counter errors{*this, "sluice_server_errors_total",
                        "Commands refused before they reached a shard."};
  meter::Counter denied{*this, "sluice_server_denied_total",
                        "Commands and logins refused for want of permission."};
  meter::Counter protocol_errors{*this, "sluice_server_protocol_errors_total",
                                 "Connections closed because what came was no request."};
  meter::Counter overflows{*this, "sluice_server_overflows_total",
                           "Connections closed because their replies, or what all clients "
                           "hold, passed the bound."};
  meter::Counter read_bytes{*this,
                            "sluice_server_read_bytes_total",
                            "Bytes read from clients.",
                            {.unit = meter::Unit::kBytes}};
  meter::Counter written_bytes{*this,
                               "sluice_server_written_bytes_total",
                               "Bytes written to clients.",
                               {.unit = meter::Unit::kBytes}};
  meter::Counter crowded_turns{*this, "sluice_server_crowded_turns_total",
                               "Turns that left sockets unread because log, store or another lane "
                               "was behind."};
  meter::Per<meter::Histogram, admit::kClass> waits{
      *this,
      "sluice_server_turn_wait_seconds",
      "Time from a connection's having something to run to its running, by what it ran last.",
      {.unit = meter::Unit::kMicroseconds}};
  meter::Per<meter::Counter, admit::kClass> units{
      *this, "sluice_server_write_units_total", "Write units that ran: one for each started KiB."};
  meter::Per<meter::Counter, admit::kClass> held{
      *this, "sluice_server_held_total",
      "Times that a connection's next write had to wait for "
      "units of the budget."};
  meter::Per<meter::Gauge, admit::kClass> waiting{*this, "sluice_server_waiting_connections",
                                                  "Connections whose next write waits for units."};
  meter::Per<meter::Counter, admit::kClass> shed{
      *this, "sluice_server_shed_total",
      "Writes refused because they had waited too long for "
      "units."};
  meter::Per<meter::Counter, kOverloaded> overloaded{
      *this, "sluice_server_overloaded_total", "Commands answered OVERLOADED, by the reason told."};

  // `reply` begins with the '-' of an error; counted is what OVERLOADED gives as its reason.
  void CountOverloaded(std::string_view reply);
};

// What became of the calls of one command. For INFO and LATENCY; not among the meters, as there are
// some two hundred of them.
struct CommandCount {
  // Calls by the microseconds that they kept the lane: up to 1, 2, 4 and so on; the last takes all
  // that were longer.
  static constexpr size_t kTimes = 26;

  meter::CounterCell microseconds, rejected, failed;
  std::array<meter::CounterCell, kTimes> times;

  void Ran(uint64_t us) {
    microseconds.Add(us);
    const auto power = static_cast<size_t>(std::bit_width(us - (us > 0)));
    times[std::min(power, kTimes - 1)].Add();
  }
};

// Error replies by their first word, as far as it is one of ours.
inline constexpr std::array<std::string_view, 15> kErrorWords = {
    "ERR",     "WRONGTYPE", "NOAUTH",     "NOPERM",        "WRONGPASS",
    "NOPROTO", "THROTTLED", "OVERLOADED", "INDOUBT",       "TRYAGAIN",
    "NOSPACE", "DAMAGED",   "REGION",     "TOKENMISMATCH", "LOADING"};

// One per entry of the command table, and the errors.
class CommandCounts {
 public:
  CommandCounts()
      : first_(command::AllCommands().data()),
        counts_(std::make_unique<CommandCount[]>(command::AllCommands().size())) {}
  CommandCount& Of(const command::Spec& spec) { return counts_[&spec - first_]; }
  const CommandCount& At(size_t index) const { return counts_[index]; }

  // `reply` begins with the '-' of an error.
  void CountError(std::string_view reply);
  uint64_t errors(size_t word) const { return errors_[word].value(); }
  // Sets all of it to zero.
  void Reset();

 private:
  const command::Spec* const first_;
  std::unique_ptr<CommandCount[]> counts_;
  std::array<meter::CounterCell, kErrorWords.size()> errors_;
};

}  // namespace sluice::server
