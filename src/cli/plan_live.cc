#include "cli/plan_live.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>

#include "cli/http_get.h"

namespace sluice::cli {
namespace {

constexpr int kAnswerMs = 5'000;
constexpr int kMomentMs = 1'000;

double NumberIn(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Calls `each(labels, value)` for every sample of that name.
template <class Each>
void ForEach(std::string_view metrics, std::string_view name, Each each) {
  while (!metrics.empty()) {
    const size_t end = std::min(metrics.find('\n'), metrics.size());
    std::string_view line = metrics.substr(0, end);
    metrics.remove_prefix(std::min(end + 1, metrics.size()));
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    if (!line.starts_with(' ') && !line.starts_with('{')) continue;
    const size_t space = line.rfind(' ');
    each(line.substr(0, space), NumberIn(line.substr(space + 1)));
  }
}

// What the node has counted by now.
struct Reading {
  std::string metrics;
  double cpu_seconds = 0, lanes = 1;
  uint64_t at_us = 0;
};

Result<Reading> Read(Client& client, const Address& http, env::Clock& clock) {
  Reading reading;
  SLUICE_ASSIGN(const resp::Value info, client.Call({"INFO"}, kAnswerMs));
  if (info.is_error()) return Fail(Code::kInvalid, info.text);
  const std::string_view text = info.text;
  const auto field = [&](std::string_view name) {
    const size_t at = text.find(fmt::format("\n{}:", name));
    return at == std::string_view::npos ? -1 : NumberIn(text.substr(at + name.size() + 2));
  };
  reading.lanes = field("lanes");
  if (reading.lanes < 1) return Fail(Code::kInvalid, "that is no Sluice");
  reading.cpu_seconds = field("used_cpu_sys") + field("used_cpu_user");
  SLUICE_ASSIGN(reading.metrics, HttpGet(http, "/metrics", clock, kAnswerMs));
  reading.at_us = clock.MonotonicUs();
  return reading;
}

constexpr std::string_view kWrites = "sluice_shard_writes_total";
constexpr std::string_view kWait = "sluice_log_wait_seconds";

// What the figures of a plan were between two readings.
LiveFigures FiguresOf(const Reading& first, const Reading& last) {
  LiveFigures figures;
  const auto grew = [&](std::string_view name) {
    return SumOf(last.metrics, name) - SumOf(first.metrics, name);
  };
  const double writes = grew(kWrites);
  const double seconds = static_cast<double>(last.at_us - first.at_us) / 1e6;
  figures.writes = writes / seconds;
  const double syncs = grew("sluice_log_sync_seconds_count");
  const double sync_seconds = grew("sluice_log_sync_seconds_sum");
  const double log = grew("sluice_log_written_bytes_total");
  const double stored =
      grew("sluice_store_run_bytes_total") + grew("sluice_store_compacted_bytes_total");
  const double sent = grew("sluice_server_read_bytes_total");
  const double cpu = last.cpu_seconds - first.cpu_seconds;
  const auto set = [&](std::string_view name, double value) {
    if (value > 0) figures.settings.emplace_back(name, value);
  };
  set("lanes", last.lanes);
  if (cpu > 0) set("writes-per-lane", writes / cpu);
  if (syncs > 0) set("sync", 1'000 * sync_seconds / syncs);
  set("syncs-per-write", syncs / writes);
  set("log-bytes", log / writes);
  if (sent > 0 && stored > 0) set("amplification", (log + stored) / sent);
  return figures;
}

}  // namespace

double SumOf(std::string_view metrics, std::string_view name) {
  double sum = 0;
  ForEach(metrics, name, [&](std::string_view, double value) { sum += value; });
  return sum;
}

double P99Between(std::string_view before, std::string_view after, std::string_view name) {
  std::map<double, double> counts;  // cumulative, by the bucket's end
  const auto add = [&](std::string_view page, double sign) {
    ForEach(page, fmt::format("{}_bucket", name), [&](std::string_view labels, double value) {
      const size_t le = labels.find("le=\"");
      if (le == std::string_view::npos || labels.substr(le + 4).starts_with('+')) return;
      counts[NumberIn(labels.substr(le + 4))] += sign * value;
    });
  };
  add(before, -1);
  add(after, 1);
  if (counts.empty()) return 0;
  const double all = counts.rbegin()->second;
  for (const auto& [end, count] : counts) {
    if (all > 0 && count >= 0.99 * all) return end;
  }
  return 0;
}

Result<LiveFigures> WatchNode(const Address& address, uint16_t http_port, unsigned seconds,
                              env::Clock& clock) {
  SLUICE_ASSIGN(const std::unique_ptr<Client> client, Client::Connect(address, clock, kAnswerMs));
  Address http = address;
  http.port = http_port;
  SLUICE_ASSIGN(const Reading first, Read(*client, http, clock));
  std::vector<LiveMoment> curve;
  Reading last = first;
  for (unsigned i = 0; i < seconds; ++i) {
    poll(nullptr, 0, kMomentMs);
    SLUICE_ASSIGN(Reading now, Read(*client, http, clock));
    const double between = static_cast<double>(now.at_us - last.at_us) / 1e6;
    curve.push_back({(SumOf(now.metrics, kWrites) - SumOf(last.metrics, kWrites)) / between,
                     1'000 * P99Between(last.metrics, now.metrics, kWait)});
    last = std::move(now);
  }
  if (SumOf(last.metrics, kWrites) <= SumOf(first.metrics, kWrites)) {
    return Fail(Code::kUnavailable,
                fmt::format("{} took no write in {} s: a plan needs a load to look at",
                            address.text(), seconds));
  }
  LiveFigures figures = FiguresOf(first, last);
  figures.curve = std::move(curve);
  return figures;
}

}  // namespace sluice::cli
