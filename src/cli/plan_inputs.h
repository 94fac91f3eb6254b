// What a plan is made from: numbers that were given, each under one name for the command line, for
// --what-if and for JSON.
//
// Threads:  any.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "plan/node.h"

namespace sluice::cli {

struct PlanSetting {
  enum class Kind : uint8_t { kNumber, kWhole, kShare, kMs, kLoads } kind;
  std::string_view name, help;
};
std::span<const PlanSetting> PlanSettings();

// Numbers as people write them: "120000", "120,000", "120k", "1.5M"; shares as "25%" or "0.25";
// times as "50ms", "1.2ms", "2s", "300us", alone in ms; loads as "25000,10x9500".
class PlanInputs {
 public:
  // kInvalid: an unknown name, or text that is no value of its kind; the message says which.
  Status Set(std::string_view name, std::string_view text);
  // "writes=200k,headroom=40%". Errors as Set.
  Status Change(std::string_view changes);

  bool Has(std::string_view name) const { return values_.count(name) > 0; }
  // Requires: it has one.
  double Get(std::string_view name) const { return values_.find(name)->second; }
  double Get(std::string_view name, double otherwise) const {
    return Has(name) ? Get(name) : otherwise;
  }
  const std::vector<double>& loads() const { return loads_; }
  const std::map<std::string, double, std::less<>>& values() const { return values_; }

  plan::NodeFigures Node() const;

 private:
  std::map<std::string, double, std::less<>> values_;
  std::vector<double> loads_;
};

}  // namespace sluice::cli
