// A plan: sections of figures with the arithmetic that gave them, for people, programs and as a
// chart.
//
// Threads:  any; pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/plan_inputs.h"
#include "plan/capacity.h"

namespace sluice::cli {

struct PlanSection {
  std::string name;  // for programs
  std::string title;
  std::vector<plan::Line> lines;
  std::vector<std::string> notes;  // what follows from them
};

struct PlanReport {
  PlanInputs inputs;
  std::vector<PlanSection> sections;
  std::vector<std::pair<std::string, std::vector<PlanSection>>> what_if;  // a change, and its plan
  std::string source;  // of the figures that were not given
};

// True when the plan rests on figures that were not given.
bool UsesFigures(const PlanInputs& inputs);

// The sections that the inputs have numbers for.
std::vector<PlanSection> MakePlan(const PlanInputs& inputs);

std::string PlanText(const PlanReport& report);
std::string PlanJson(const PlanReport& report);
// How much of each resource the load uses, and what it uses after each change.
std::string PlanSvg(const PlanReport& report);

}  // namespace sluice::cli
