// LATENCY: spikes by event, and how long the calls of each command took.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "server/command_totals.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

using Event = LatencyEvents::Event;
using Spikes = LatencyEvents::Spikes;

constexpr size_t kGraphWidth = 80;  // samples that GRAPH draws
constexpr int kGraphHeight = 4;

std::vector<std::pair<std::string_view, Spikes>> AllSpikes(const LatencyEvents& events) {
  std::vector<std::pair<std::string_view, Spikes>> all;
  for (size_t i = 0; i < LatencyEvents::kNames.size(); ++i) {
    Spikes spikes = events.Of(static_cast<Event>(i));
    if (!spikes.samples.empty()) all.emplace_back(LatencyEvents::kNames[i], std::move(spikes));
  }
  return all;
}

Answer Latest(Call& call) {
  const auto all = AllSpikes(call.context.latency);
  call.reply.Array(all.size());
  for (const auto& [name, spikes] : all) {
    call.reply.Array(4);
    call.reply.Bulk(name);
    call.reply.Int(static_cast<int64_t>(spikes.samples.back().unix_s));
    call.reply.Int(static_cast<int64_t>(spikes.samples.back().ms));
    call.reply.Int(static_cast<int64_t>(spikes.highest_ms));
  }
  return {};
}

Answer History(Call& call) {
  const auto event = LatencyEvents::Named(call.args[2]);
  const Spikes spikes = event ? call.context.latency.Of(*event) : Spikes();
  call.reply.Array(spikes.samples.size());
  for (const LatencyEvents::Sample& sample : spikes.samples) {
    call.reply.Array(2);
    call.reply.Int(static_cast<int64_t>(sample.unix_s));
    call.reply.Int(static_cast<int64_t>(sample.ms));
  }
  return {};
}

Answer ResetEvents(Call& call) {
  int64_t reset = 0;
  const command::Args names = call.args.subspan(2);
  for (size_t i = 0; i < LatencyEvents::kNames.size(); ++i) {
    const bool wanted =
        names.empty() || std::any_of(names.begin(), names.end(), [&](std::string_view name) {
          return EqualFolded(name, LatencyEvents::kNames[i]);
        });
    if (wanted) reset += call.context.latency.Reset(static_cast<Event>(i));
  }
  call.reply.Int(reset);
  return {};
}

// A column for each of the last spikes, as high as it was; below it, how long ago.
std::string Drawn(std::string_view name, const Spikes& spikes, uint64_t now_s) {
  const auto& samples = spikes.samples;
  const auto first = samples.begin() +
                     static_cast<ptrdiff_t>(samples.size() - std::min(samples.size(), kGraphWidth));
  uint64_t low = UINT64_MAX, high = 0;
  for (auto at = first; at != samples.end(); ++at) {
    low = std::min(low, at->ms);
    high = std::max(high, at->ms);
  }
  std::string text = fmt::format("{}: {} to {} ms in the last {} spikes, {} ms at the most\n", name,
                                 low, high, samples.end() - first, spikes.highest_ms);
  for (int row = kGraphHeight; row > 0; --row) {
    for (auto at = first; at != samples.end(); ++at) {
      const uint64_t height =
          1 + (kGraphHeight - 1) * (at->ms - low) / std::max<uint64_t>(1, high - low);
      text += height >= static_cast<uint64_t>(row) ? '#' : ' ';
    }
    text += '\n';
  }
  return text + fmt::format("the first {} s ago, the last {} s ago\n", now_s - first->unix_s,
                            now_s - samples.back().unix_s);
}

Answer Graph(Call& call) {
  const auto event = LatencyEvents::Named(call.args[2]);
  const Spikes spikes = event ? call.context.latency.Of(*event) : Spikes();
  if (spikes.samples.empty()) {
    return Refuse(call, fmt::format("ERR No samples available for event '{}'", call.args[2]));
  }
  const std::string_view name = LatencyEvents::kNames[static_cast<size_t>(*event)];
  call.reply.Verbatim(Drawn(name, spikes, call.context.clock.WallMs() / 1000));
  return {};
}

Answer Doctor(Call& call) {
  const int64_t threshold = call.context.latency.threshold_ms.load();
  std::string text;
  if (threshold == 0) {
    text = "Spikes are not watched. CONFIG SET latency-monitor-threshold <ms> begins with it.\n";
  } else {
    text = fmt::format("Watched is what takes {} ms or longer.\n", threshold);
    const auto all = AllSpikes(call.context.latency);
    if (all.empty()) text += "There was nothing.\n";
    for (const auto& [name, spikes] : all) {
      uint64_t sum = 0;
      for (const LatencyEvents::Sample& sample : spikes.samples) sum += sample.ms;
      text += fmt::format("{}: {} spikes, {} ms on average, {} ms at the most\n", name,
                          spikes.samples.size(), sum / spikes.samples.size(), spikes.highest_ms);
    }
    text += "SLOWLOG GET names the commands that keep a lane busy.\n";
  }
  text += "What replies wait for the disk is in the metrics: sluice_log_sync_seconds.\n";
  call.reply.Verbatim(text);
  return {};
}

Answer Histogram(Call& call) {
  const std::span<const command::Spec> specs = command::AllCommands();
  std::vector<std::pair<const command::Spec*, CommandTotals>> shown;
  const auto show = [&](const command::Spec& spec) {
    CommandTotals totals = TotalsOf(call.context, static_cast<size_t>(&spec - specs.data()));
    if (totals.calls > 0) shown.emplace_back(&spec, totals);
  };
  if (call.args.size() == 2) {
    for (const command::Spec& spec : specs) show(spec);
  }
  for (const std::string_view name : call.args.subspan(2)) {
    const command::Spec* spec = command::FindCommand(name);
    if (spec != nullptr) show(*spec);
  }
  call.reply.Map(shown.size());
  for (const auto& [spec, totals] : shown) {
    call.reply.Bulk(spec->name);
    call.reply.Map(2);
    call.reply.Bulk("calls");
    call.reply.Int(static_cast<int64_t>(totals.calls));
    call.reply.Bulk("histogram_usec");
    call.reply.Map(static_cast<size_t>(
        std::count_if(totals.times.begin(), totals.times.end(), [](uint64_t n) { return n > 0; })));
    uint64_t sum = 0;
    for (size_t i = 0; i < totals.times.size(); ++i) {
      if (totals.times[i] == 0) continue;
      sum += totals.times[i];
      call.reply.Int(int64_t{1} << i);
      call.reply.Int(static_cast<int64_t>(sum));
    }
  }
  return {};
}

Answer Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "DOCTOR",
      "    What was slow, in words.",
      "GRAPH <event>",
      "    The spikes of an event, drawn.",
      "HISTOGRAM [<command> ...]",
      "    How many calls kept their lane up to so many microseconds, by command.",
      "HISTORY <event>",
      "    The spikes of an event: second and milliseconds.",
      "LATEST",
      "    The last spike of each event, and its highest.",
      "RESET [<event> ...]",
      "    Forgets the spikes of these events, or of all.",
      "HELP",
      "    This text.",
      "Events are: command, fast-command.",
  };
  return Lines(call, kLines);
}

}  // namespace

std::span<const Subcommand> LatencyCommands() {
  static constexpr uint32_t kAdmin = command::kAdmin;
  static constexpr Subcommand kCommands[] = {
      {"doctor", 2, kAdmin, Doctor, "What took long, in words."},
      {"graph", 3, kAdmin, Graph, "The spikes of an event, drawn."},
      {"help", 2, 0, Help, "Its subcommands."},
      {"histogram", -2, kAdmin, Histogram, "How long commands took."},
      {"history", 3, kAdmin, History, "The spikes of an event."},
      {"latest", 2, kAdmin, Latest, "The last spike of each event."},
      {"reset", -2, kAdmin, ResetEvents, "Forgets the spikes of events."},
  };
  return kCommands;
}

}  // namespace sluice::server
