#include "cli/shard_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "cli/bench_chart.h"

namespace sluice::cli {
namespace {

constexpr double kWritesWarnedLeast = 100;  // a second; below, which shard they fall on is chance

// Of the mean, as the node warns of it (heat/skew.h).
double TimesWarned(size_t shards) {
  const auto n = static_cast<double>(shards);
  return std::min(2.0, 3 * n / (n + 2));
}

using Shard = nlohmann::ordered_json;

double WritesOf(const Shard& shard) {
  return shard.value("writes_per_second", 0.0);
}

std::string Time(const Shard& us) {
  if (!us.is_number()) return "-";
  const double value = us.get<double>();
  return value < 1'000 ? fmt::format("{} us", value) : fmt::format("{:.3g} ms", value / 1'000);
}

std::string Number(const Shard& value) {
  return value.is_number() ? ChartNumber(value.get<double>()) : "-";
}

// What a column is called, and how wide it is; a name's is to the left.
constexpr std::pair<std::string_view, int> kColumns[] = {
    {"shard", 6}, {"lane", 5}, {"writes/s", 9}, {"mean", 6},  {"1m", 8},     {"10m", 8},
    {"cpu", 6},   {"p50", 9},  {"p99", 9},      {"queue", 8}, {"stored", 8}, {"state", 9}};

std::string Line(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += fmt::format("{:>{}}", cells[i], kColumns[i].second);
  }
  return line;
}

std::string Row(const Shard& shard, double mean) {
  return Line({fmt::format("{}", shard.value("shard", 0)),
               fmt::format("{}", shard.value("lane", 0)), Number(shard["writes_per_second"]),
               mean > 0 ? fmt::format("{:.1f}x", WritesOf(shard) / mean) : "-",
               Number(shard["writes_per_second_1m"]), Number(shard["writes_per_second_10m"]),
               fmt::format("{}%", shard.value("cpu_percent", 0)), Time(shard["p50_us"]),
               Time(shard["p99_us"]), Number(shard["queue_bytes"]), Number(shard["size"]),
               shard.value("state", std::string("-"))});
}

}  // namespace

void PrintShards(const std::vector<Shard>& shards, std::ostream& out) {
  std::vector<std::string> titles;
  for (const auto& [title, width] : kColumns) titles.emplace_back(title);
  for (auto first = shards.begin(); first != shards.end();) {
    const std::string keyspace = first->value("keyspace", std::string());
    const auto last = std::find_if(first, shards.end(), [&](const Shard& shard) {
      return shard.value("keyspace", std::string()) != keyspace;
    });
    std::vector<Shard> own(first, last);
    std::stable_sort(own.begin(), own.end(),
                     [](const Shard& a, const Shard& b) { return WritesOf(a) > WritesOf(b); });
    double all = 0;
    for (const Shard& shard : own) all += WritesOf(shard);
    const double mean = all / static_cast<double>(own.size());
    out << keyspace << '\n' << Line(titles) << '\n';
    for (const Shard& shard : own) out << Row(shard, mean) << '\n';
    if (own.size() > 1 && all >= kWritesWarnedLeast &&
        WritesOf(own[0]) >= TimesWarned(own.size()) * mean) {
      out << fmt::format(
          "  ! shard {} takes {:.1f} times the mean: sluice shard heat, or SLUICE "
          "HOTKEYS {}, say what of it is hot\n",
          own[0].value("shard", 0), WritesOf(own[0]) / mean, keyspace);
    }
    out << '\n';
    first = last;
  }
}

}  // namespace sluice::cli
