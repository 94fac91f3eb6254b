// What `sluice plan` prints.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/plan_report.h"
#include "plan/shard_key.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kWidth = 760, kLeft = 150, kRight = 90, kHead = 70, kBar = 16, kRow = 24;
constexpr double kFullAt = 0.75;  // of the width, is all of a resource

constexpr std::string_view kStyle = R"(
text { font: 12px system-ui, sans-serif; fill: #5f5e5a } .ground { fill: #fcfcfb }
.name { font-size: 17px; font-weight: 600; fill: #1a1a19 } .head { font-weight: 600; fill: #1a1a19 }
.bar { fill: #2a78d6 } .over { fill: #e0601f } .full { stroke: #85847e; stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
text { fill: #a9a8a2 } .ground { fill: #1a1a19 } .name, .head { fill: #f1f0ec }
.bar { fill: #4c94ec } .over { fill: #f0804a } .full { stroke: #8f8e88 } }
)";

const plan::Line* LineOf(const std::vector<PlanSection>& sections, std::string_view section,
                         std::string_view name) {
  for (const PlanSection& one : sections) {
    if (one.name != section) continue;
    for (const plan::Line& line : one.lines) {
      if (line.name == name) return &line;
    }
  }
  return nullptr;
}

Json SectionsJson(const std::vector<PlanSection>& sections) {
  Json json = Json::object();
  for (const PlanSection& section : sections) {
    Json& one = json[section.name];
    for (const plan::Line& line : section.lines) one[line.name] = line.value;
    Json& how = one["how"] = Json::object();
    for (const plan::Line& line : section.lines) how[line.name] = line.how;
    one["notes"] = section.notes;
  }
  return json;
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      escaped += c >= ' ' && c <= '~' ? c : '?';
    }
  }
  return escaped;
}

}  // namespace

std::string PlanText(const PlanReport& report) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const PlanSection& section : report.sections) {
    size_t label = 0, shown = 0;
    for (const plan::Line& line : section.lines) {
      label = std::max(label, line.label.size());
      shown = std::max(shown, line.shown.size());
    }
    fmt::format_to(out, "{}{}\n", text.empty() ? "" : "\n", section.title);
    for (const plan::Line& line : section.lines) {
      fmt::format_to(out, "  {:<{}}  {:>{}}   {}\n", line.label, label, line.shown, shown,
                     line.how);
    }
    for (const std::string& note : section.notes) fmt::format_to(out, "  => {}\n", note);
  }
  for (const auto& [change, sections] : report.what_if) {
    fmt::format_to(out, "\nWhat if {}\n", change);
    for (const PlanSection& section : sections) {
      for (const plan::Line& line : section.lines) {
        const plan::Line* before = LineOf(report.sections, section.name, line.name);
        if (before != nullptr && before->shown == line.shown) continue;
        fmt::format_to(out, "  {}, {}: {} -> {}\n", section.title, line.label,
                       before == nullptr ? "none" : before->shown, line.shown);
      }
    }
  }
  if (!report.source.empty()) fmt::format_to(out, "\n{}\n", report.source);
  return text;
}

std::string PlanJson(const PlanReport& report) {
  Json json = {{"given", Json::object()}};
  for (const auto& [name, value] : report.inputs.values()) json["given"][name] = value;
  if (report.inputs.Has("loads")) json["given"]["loads"] = report.inputs.loads();
  json.update(SectionsJson(report.sections));
  json["what_if"] = Json::array();
  for (const auto& [change, sections] : report.what_if) {
    Json one = {{"change", change}};
    one.update(SectionsJson(sections));
    json["what_if"].push_back(std::move(one));
  }
  json["source"] = report.source;
  return json.dump(2) + "\n";
}

std::string PlanSvg(const PlanReport& report) {
  std::vector<std::pair<std::string, const std::vector<PlanSection>*>> plans = {
      {"as given", &report.sections}};
  for (const auto& [change, sections] : report.what_if) {
    plans.emplace_back("what if " + change, &sections);
  }
  std::string body;
  const auto out = std::back_inserter(body);
  double top = kHead;
  const double full = kLeft + kFullAt * (kWidth - kLeft - kRight);
  for (const auto& [title, sections] : plans) {
    const plan::Line* shards = LineOf(*sections, "shards", "provisioned");
    const plan::Line* nodes = LineOf(*sections, "node", "nodes");
    fmt::format_to(
        out, "<text class=\"head\" x=\"20\" y=\"{}\">{}{}</text>\n", top + 12, Escaped(title),
        shards == nullptr ? ""
                          : Escaped(fmt::format(": {} shard{}, {} node{}", shards->shown,
                                                shards->value == 1 ? "" : "s", nodes->shown,
                                                nodes->value == 1 ? "" : "s")));
    top += kRow;
    for (const char* name : {"cpu", "fsync", "disk", "network"}) {
      const plan::Line* use = LineOf(*sections, "node", fmt::format("{}_use", name));
      if (use == nullptr) continue;
      const double width = std::min(use->value * (full - kLeft), kWidth - kRight - kLeft);
      fmt::format_to(out,
                     "<text x=\"{0}\" y=\"{1}\" text-anchor=\"end\">{2}</text>\n"
                     "<rect class=\"{3}\" x=\"{4}\" y=\"{5}\" width=\"{6:.1f}\" height=\"{7}\"/>\n"
                     "<text x=\"{8:.1f}\" y=\"{1}\">{9}</text>\n",
                     kLeft - 8, top + 13, name, use->value > 1 ? "over" : "bar", kLeft, top, width,
                     kBar, kLeft + width + 6, use->shown);
      top += kRow;
    }
    top += kRow / 2;
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" aria-labelledby=\"t d\">\n<title id=\"t\">Plan for {2} "
      "writes/s</title>\n<desc id=\"d\">How much of each resource of one node the load uses; the "
      "dashed line is all of it.</desc>\n<style>{3}</style>\n<rect class=\"ground\" width=\"{0}\" "
      "height=\"{1}\"/>\n<text class=\"name\" x=\"20\" y=\"30\">{2} writes/s: what of one node "
      "they use</text>\n<text x=\"20\" y=\"50\">the dashed line is all of it</text>\n{4}<path "
      "class=\"full\" d=\"M{5} {6}V{1}\"/>\n</svg>\n",
      kWidth, top + 10, plan::Thousands(report.inputs.Get("writes", 0)), kStyle, body, full, kHead);
}

}  // namespace sluice::cli
