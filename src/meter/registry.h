// The Registry knows every Set and shows what they hold, to Prometheus and to INFO.
//
// Cells of one name and equal labels are added up (gauges as their Merge says), so lanes that are
// added without a label appear as one.
//
// Borrows:  the Sets, from Add until Remove or its own end.
// Threads:  any.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "meter/meter.h"

namespace sluice::meter {

struct Sample;

using Labels = std::map<std::string, std::string>;  // {{"keyspace", "orders"}}

class Registry {
 public:
  // `labels` are put on every meter of the Set. Requires: the Set was not added before, and what
  // it says of a name (help, kind, unit) is what others of that name say.
  void Add(const Set& set, Labels labels = {});
  void Remove(const Set& set);

  // The text format of Prometheus, names in order.
  std::string PrometheusText() const;

  // Everything of that name added up, whatever its labels, or only what carries `label`=`value`.
  // In the unit that the meter counts in (microseconds, not seconds). Zero for an unknown name.
  struct Where {
    std::string_view label, value;
  };
  double Total(std::string_view name, std::optional<Where> where = {}) const;
  Distribution TotalDistribution(std::string_view name, std::optional<Where> where = {}) const;

 private:
  struct Source {
    const Set* set;
    Labels labels;
  };
  Sample Collect(std::string_view name, std::optional<Where> where) const;

  mutable std::mutex mutex_;
  std::vector<Source> sources_;
  std::map<std::string_view, Description> descriptions_;  // by name; kept after Remove
};

}  // namespace sluice::meter
