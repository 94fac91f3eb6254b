// What `sluice advise` prints.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/advice.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNameMost = 28;

// As the table shows it.
std::string Name(const AdvisedKey& key) {
  const std::string name = Printable(key.name());
  return name.size() <= kNameMost ? name : name.substr(0, kNameMost - 2) + "..";
}

std::string Times(double skew) {
  return fmt::format("{:.2f}x", skew);
}

std::string Distinct(const plan::ColumnFact& fact) {
  return (fact.exact ? "" : "~") + plan::Thousands(fact.distinct);
}

double TopShare(const plan::KeyFacts& facts) {
  return static_cast<double>(facts.fact.top_count) /
         static_cast<double>(std::max<uint64_t>(1, facts.fact.rows));
}

Json SpreadJson(const plan::Spread& spread) {
  return {{"shards", spread.shards},
          {"busiest_share", spread.busiest_share},
          {"skew", spread.skew},
          {"skew_at_a_time", spread.skew_at_a_time},
          {"idle_shards", spread.idle}};
}

Json KeyJson(const AdvisedKey& key) {
  const plan::KeyFacts& facts = key.facts;
  Json json = {{"key", key.name()},
               {"grade", plan::NameOf(key.verdict.grade)},
               {"score", std::round(key.verdict.score * 10) / 10},
               {"shard", key.verdict.shard},
               {"columns", Json::array()},
               {"kind", plan::NameOf(facts.fact.kind)},
               {"distinct", std::round(facts.fact.distinct)},
               {"distinct_exact", facts.fact.exact},
               {"top_value", facts.fact.top_value},
               {"top_share", TopShare(facts)},
               {"empty_share", static_cast<double>(facts.fact.empty) /
                                   static_cast<double>(std::max<uint64_t>(1, facts.fact.rows))}};
  for (const std::string& column : facts.columns) json["columns"].push_back(column);
  json["segments"] = facts.segments;
  json["reach_shards"] =
      std::isfinite(key.verdict.reach) ? Json(std::floor(key.verdict.reach)) : Json(nullptr);
  json["order_correlation"] = facts.order.correlation;
  json["later_half_beyond"] = facts.order.beyond;
  json["changes"] = facts.changes.has_value() ? Json(*facts.changes) : Json(nullptr);
  json["record"] = facts.record.empty() ? Json(nullptr) : Json(facts.record);
  json["together"] = facts.together.has_value() ? Json(*facts.together) : Json(nullptr);
  json["maps"] = {{"hash", SpreadJson(facts.hash)}, {"range", SpreadJson(facts.range)}};
  json["findings"] = Json::array();
  for (const plan::Finding& finding : key.verdict.findings) {
    json["findings"].push_back({{"severity", plan::NameOf(finding.severity)},
                                {"code", finding.code},
                                {"text", finding.text}});
  }
  return json;
}

// A few words of what makes a good key good.
std::string Praise(const AdvisedKey& key) {
  const plan::ColumnFact& fact = key.facts.fact;
  return fmt::format("{} values; {}", Distinct(fact),
                     std::isfinite(key.verdict.reach)
                         ? fmt::format("the busiest has {} of the rows: room for {} shards",
                                       plan::Percent(TopShare(key.facts)),
                                       plan::Thousands(std::floor(key.verdict.reach)))
                         : "none stands out");
}

}  // namespace

std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  return text;
}

std::string AdviceText(const Advice& advice) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{}: {} rows, {} keys judged; maps of {} shards simulated over {} rows\n",
                 advice.source, plan::Thousands(static_cast<double>(advice.rows)),
                 advice.keys.size(), advice.shards,
                 plan::Thousands(static_cast<double>(advice.sampled)));
  if (advice.bad_rows > 0) {
    fmt::format_to(out, "{} rows could not be used; the first: {}\n",
                   plan::Thousands(static_cast<double>(advice.bad_rows)), advice.first_bad);
  }
  if (advice.columns_left_out > 0) {
    fmt::format_to(out, "{} columns were left out: the first {} are looked at\n",
                   plan::Thousands(static_cast<double>(advice.columns_left_out)),
                   plan::kColumnsMost);
  }
  size_t width = 3;
  for (const AdvisedKey& key : advice.keys) {
    width = std::max(width, std::min(kNameMost, Name(key).size()));
  }
  fmt::format_to(out, "\n     {:<{}}  {:<5}  {:>9}  {:>8}  {:>7}  {:>7}  {:>15}\n", "key", width,
                 "grade", "values", "busiest", "hash", "range", "range, a moment");
  size_t place = 0;
  for (const AdvisedKey& key : advice.keys) {
    fmt::format_to(out, "{:>3}  {:<{}}  {:<5}  {:>9}  {:>8}  {:>7}  {:>7}  {:>15}\n", ++place,
                   Name(key), width, plan::NameOf(key.verdict.grade), Distinct(key.facts.fact),
                   plan::Percent(TopShare(key.facts)), Times(key.facts.hash.skew),
                   Times(key.facts.range.skew), Times(key.facts.range.skew_at_a_time));
  }
  text +=
      "\n     hash, range: the busiest shard's rows over a mean one's; a moment: among rows "
      "that came together\n";
  for (const AdvisedKey& key : advice.keys) {
    fmt::format_to(out, "\n{}: {}\n", Printable(key.name()), plan::NameOf(key.verdict.grade));
    if (key.verdict.grade != plan::Grade::kBad) fmt::format_to(out, "  + {}\n", Praise(key));
    for (const plan::Finding& finding : key.verdict.findings) {
      fmt::format_to(out, "  {} {}\n", finding.severity == plan::Severity::kNote ? ' ' : '-',
                     Printable(finding.text));
    }
  }
  if (advice.keys.empty() || advice.keys.front().verdict.grade == plan::Grade::kBad) {
    text +=
        "\nNo column, and no two or three of them, is a good key: look for one that says who or "
        "what a row is about.\n";
    return text;
  }
  fmt::format_to(out, "\nproposal: shard = \"{}\", {} at {} shards\n",
                 Printable(advice.keys.front().verdict.shard),
                 Times(advice.keys.front().facts.hash.skew), advice.shards);
  for (const AdvisedMap& map : advice.maps) {
    fmt::format_to(out, "      or: shard = \"{}\", {} at {} shards, {} at a moment: {}\n",
                   Printable(map.shard), Times(map.spread.skew), map.spread.shards,
                   Times(map.spread.skew_at_a_time), Printable(map.why));
  }
  const plan::KeyFacts& best = advice.keys.front().facts;
  for (size_t i = 0; i < best.segments.size(); ++i) {
    if (best.segments[i] == best.columns[i]) continue;
    fmt::format_to(out, "      in a template, {} is {{{}}}: a name is letters, digits and _\n",
                   Printable(best.columns[i]), best.segments[i]);
  }
  return text;
}

std::string AdviceJson(const Advice& advice) {
  Json json = {{"source", advice.source},     {"rows", advice.rows},
               {"bad_rows", advice.bad_rows}, {"sampled_rows", advice.sampled},
               {"shards", advice.shards},     {"columns_left_out", advice.columns_left_out},
               {"keys", Json::array()},       {"maps", Json::array()}};
  for (const AdvisedKey& key : advice.keys) json["keys"].push_back(KeyJson(key));
  for (const AdvisedMap& map : advice.maps) {
    Json one = {{"shard", map.shard}, {"why", map.why}};
    one.update(SpreadJson(map.spread));
    json["maps"].push_back(std::move(one));
  }
  // What is no UTF-8 is replaced, as no JSON can hold it.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
