#include "cli/plan_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sluice::cli {
namespace {

using Kind = PlanSetting::Kind;

constexpr double kNumberMost = 1e15;
constexpr size_t kLoadsMost = 100'000;

constexpr std::array kSettings = {
    PlanSetting{Kind::kNumber, "writes", "writes a second"},
    PlanSetting{Kind::kNumber, "per-shard", "writes a second that one shard carries"},
    PlanSetting{Kind::kShare, "headroom", "share of each shard that is to stay spare, 25%"},
    PlanSetting{Kind::kNumber, "hot-key", "writes a second on one key"},
    PlanSetting{Kind::kLoads, "loads", "writes a second of shards side by side, 25000,10x9500"},
    PlanSetting{Kind::kNumber, "shard-load", "writes a second of one shard that may be split"},
    PlanSetting{Kind::kNumber, "split-at", "writes a second at which a shard is split"},
    PlanSetting{Kind::kNumber, "page-writes", "random page writes a second that a disk carries"},
    PlanSetting{Kind::kNumber, "appends", "appends a second that it carries"},
    PlanSetting{Kind::kNumber, "batch", "writes of one flush"},
    PlanSetting{Kind::kMs, "flush", "time of one flush, 4ms"},
    PlanSetting{Kind::kMs, "row", "time of one row in a database, 1.2ms"},
    PlanSetting{Kind::kNumber, "row-batch", "rows of a batch"},
    PlanSetting{Kind::kMs, "row-batch-time", "time of one batch, 18ms"},
    PlanSetting{Kind::kMs, "window", "time for which writes gather, 50ms"},
    PlanSetting{Kind::kWhole, "keys", "keys that are kept"},
    PlanSetting{Kind::kNumber, "key-bytes", "bytes of a key"},
    PlanSetting{Kind::kNumber, "value-bytes", "bytes of a value"},
    PlanSetting{Kind::kWhole, "lanes", "lanes of a node"},
    PlanSetting{Kind::kNumber, "writes-per-lane", "writes a second that a lane carries"},
    PlanSetting{Kind::kMs, "sync", "time of one fdatasync, 0.3ms"},
    PlanSetting{Kind::kNumber, "syncs-per-write", "syncs for each write"},
    PlanSetting{Kind::kNumber, "log-bytes", "bytes of the log for each write"},
    PlanSetting{Kind::kNumber, "amplification", "bytes written to disk for each byte of a write"},
    PlanSetting{Kind::kNumber, "disk-bytes", "bytes a second that the disk takes, 200M"},
    PlanSetting{Kind::kNumber, "network-bytes", "bytes a second that the network takes, 125M"},
};

const PlanSetting* Find(std::string_view name) {
  const auto found = std::find_if(kSettings.begin(), kSettings.end(),
                                  [&](const PlanSetting& one) { return one.name == name; });
  return found == kSettings.end() ? nullptr : &*found;
}

bool AreDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Takes out the commas that separate thousands. False: one stands elsewhere, as in "120,00".
bool TakeCommas(std::string* text) {
  if (text->find(',') == std::string::npos) return true;
  const size_t end = std::min(text->find_first_not_of("0123456789,"), text->size());
  std::string digits;
  for (size_t at = 0; at <= end;) {
    const size_t comma = std::min(text->find(',', at), end);
    const std::string_view group = std::string_view(*text).substr(at, comma - at);
    if (!AreDigits(group) || group.size() > 3 || (at > 0 && group.size() != 3)) return false;
    digits += group;
    at = comma + 1;
  }
  *text = digits + text->substr(end);
  return text->find(',') == std::string::npos;
}

// "120,000", "1.5M". False: no number, or not within its bounds.
bool ReadNumber(std::string text, double* value) {
  if (!TakeCommas(&text)) return false;
  double times = 1;
  constexpr std::array<std::pair<char, double>, 4> kUnits = {
      std::pair{'k', 1e3}, std::pair{'K', 1e3}, std::pair{'M', 1e6}, std::pair{'G', 1e9}};
  for (const auto& [letter, size] : kUnits) {
    if (!text.ends_with(letter)) continue;
    times = size;
    text.pop_back();
    break;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  *value *= times;
  return std::isfinite(*value) && *value > 0 && *value <= kNumberMost;
}

bool ReadWhole(const std::string& text, double* value) {
  return ReadNumber(text, value) && *value == std::floor(*value);
}

bool ReadShare(std::string_view text, double* value) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (percent) *value /= 100;
  return *value >= 0 && *value < 1;
}

bool ReadMs(std::string_view text, double* value) {
  double times = 1;
  for (const auto& [unit, size] : std::array<std::pair<std::string_view, double>, 3>{
           std::pair{"us", 0.001}, std::pair{"ms", 1.0}, std::pair{"s", 1'000.0}}) {
    if (!text.ends_with(unit)) continue;
    times = size;
    text.remove_suffix(unit.size());
    break;
  }
  if (!ReadNumber(std::string(text), value)) return false;
  *value *= times;
  return true;
}

bool ReadLoads(std::string_view text, std::vector<double>* loads) {
  loads->clear();
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    double count = 1, load = 0;
    if (const size_t times = one.find('x'); times != std::string_view::npos) {
      if (!ReadWhole(std::string(one.substr(0, times)), &count)) return false;
      one.remove_prefix(times + 1);
    }
    if (!ReadNumber(std::string(one), &load)) return false;
    if (static_cast<double>(loads->size()) + count > kLoadsMost) return false;
    loads->insert(loads->end(), static_cast<size_t>(count), load);
  }
  return !loads->empty();
}

}  // namespace

std::span<const PlanSetting> PlanSettings() {
  return kSettings;
}

Status PlanInputs::Set(std::string_view name, std::string_view text) {
  const PlanSetting* setting = Find(name);
  if (setting == nullptr) {
    return Fail(Code::kInvalid, fmt::format("there is no \"{}\" to set", name));
  }
  double value = 0;
  bool read = false;
  std::string_view like;
  switch (setting->kind) {
    case Kind::kNumber:
      read = ReadNumber(std::string(text), &value);
      like = "a number above 0, like 120000, 120,000 or 120k";
      break;
    case Kind::kWhole:
      read = ReadWhole(std::string(text), &value);
      like = "a whole number above 0, like 4 or 50M";
      break;
    case Kind::kShare:
      read = ReadShare(text, &value);
      like = "a share from 0% to less than 100%, like 25%";
      break;
    case Kind::kMs:
      read = ReadMs(text, &value);
      like = "a time above 0, like 50ms, 1.2ms or 2s";
      break;
    case Kind::kLoads:
      read = ReadLoads(text, &loads_);
      like = "loads above 0, like 25000,10x9500";
      break;
  }
  if (!read) return Fail(Code::kInvalid, fmt::format("{}: \"{}\" is not {}", name, text, like));
  values_[std::string(name)] = value;
  return Ok();
}

Status PlanInputs::Change(std::string_view changes) {
  while (!changes.empty()) {
    const size_t equals = changes.find('=');
    if (equals == std::string_view::npos) {
      return Fail(Code::kInvalid, fmt::format("\"{}\" is not NAME=VALUE", changes));
    }
    const std::string_view name = changes.substr(0, equals);
    // A comma ends a value if a name follows it: numbers have commas too.
    const size_t next = changes.find('=', equals + 1);
    const size_t end = next == std::string_view::npos ? changes.size() : changes.rfind(',', next);
    if (end == std::string_view::npos || end <= equals) {
      return Fail(Code::kInvalid, fmt::format("\"{}\" is not NAME=VALUE,NAME=VALUE", changes));
    }
    SLUICE_TRY(Set(name, changes.substr(equals + 1, end - equals - 1)));
    changes.remove_prefix(std::min(end + 1, changes.size()));
  }
  return Ok();
}

plan::NodeFigures PlanInputs::Node() const {
  plan::NodeFigures node;
  node.lanes = Get("lanes", node.lanes);
  node.writes_per_lane = Get("writes-per-lane", node.writes_per_lane);
  node.sync_seconds = Get("sync", 1'000 * node.sync_seconds) / 1'000;
  node.syncs_per_write = Get("syncs-per-write", node.syncs_per_write);
  node.key_bytes = Get("key-bytes", node.key_bytes);
  node.value_bytes = Get("value-bytes", node.value_bytes);
  node.log_bytes_per_write = Get("log-bytes", node.log_bytes_per_write);
  node.write_amplification = Get("amplification", node.write_amplification);
  node.disk_bytes_per_second = Get("disk-bytes", node.disk_bytes_per_second);
  node.network_bytes_per_second = Get("network-bytes", node.network_bytes_per_second);
  return node;
}

}  // namespace sluice::cli
