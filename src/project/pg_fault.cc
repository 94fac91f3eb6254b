#include "project/pg_fault.h"

#include <utility>

namespace sluice::project {
namespace {

using Kind = PgFault::Kind;

// The longest prefix that fits decides, so a code stands before its class.
constexpr std::pair<std::string_view, Kind> kKinds[] = {
    {"40003", Kind::kLost},      // completion unknown
    {"40", Kind::kRace},         // serialization, deadlock
    {"55P03", Kind::kBusy},      // a lock was not to be had in time
    {"55006", Kind::kBusy},      // object in use
    {"57014", Kind::kBusy},      // cancelled: the statement took too long
    {"57P03", Kind::kBusy},      // starting, stopping or recovering
    {"57P", Kind::kLost},        // shut down, crashed, database dropped
    {"57", Kind::kBusy},         //
    {"08", Kind::kLost},         // connection
    {"25P03", Kind::kLost},      // idle in a transaction for too long
    {"25P04", Kind::kLost},      // a transaction that took too long
    {"25006", Kind::kReadOnly},  //
    {"53100", Kind::kNoSpace},   // disk
    {"53200", Kind::kNoSpace},   // memory
    {"53", Kind::kBusy},         // too many connections, other limits
    {"28", Kind::kLogin},        //
    {"3D", Kind::kLogin},        // no such database
    {"3F", Kind::kMisfit},       // no such schema
    {"42", Kind::kMisfit},       // no such thing, no right to it, wrong type
    {"55", Kind::kMisfit},       // the object is in no state for it
    {"0A", Kind::kMisfit},       // not offered
    {"26", Kind::kMisfit},       // a prepared statement is gone
    {"22", Kind::kRefused},      // data
    {"23", Kind::kRefused},      // constraints
    {"44000", Kind::kRefused},   // a view's check
    {"54", Kind::kRefused},      // a row or an index entry that is too large
    {"P0", Kind::kRefused},      // a trigger that raises
    {"38", Kind::kRefused},      // a trigger's routine
    {"39", Kind::kRefused},      //
    {"21000", Kind::kRefused},   // two rows where one is meant
};

}  // namespace

PgFault::Kind KindOfState(std::string_view state) {
  for (const auto& [prefix, kind] : kKinds) {
    if (state.starts_with(prefix)) return kind;
  }
  return state.empty() ? Kind::kLost : Kind::kBusy;  // the server's own trouble (XX, 58, F0)
}

Error PgFault::AsError() const {
  switch (kind) {
    case Kind::kNoSpace:
      return {Code::kNoSpace, message};
    case Kind::kMisfit:
    case Kind::kRefused:
      return {Code::kInvalid, message};
    case Kind::kRace:
    case Kind::kLost:
    case Kind::kBusy:
    case Kind::kReadOnly:
    case Kind::kLogin:
    case Kind::kCancelled:
      return {Code::kUnavailable, message};
  }
  return {Code::kUnavailable, message};
}

}  // namespace sluice::project
