// The text of docs/reference/configuration.md, from the settings table.
#include <fmt/format.h>

#include "config/settings.h"

namespace sluice::config {
namespace {

std::string_view NameOf(Change change) {
  switch (change) {
    case Change::kLive:
      return "while running";
    case Change::kRestart:
      return "at the next start";
    case Change::kNever:
      return "never: it is in the stored data";
    case Change::kBegin:
      return "no effect later";
  }
  return "?";
}

std::string Bounds(const SettingFacts& setting) {
  if (setting.most == 0) return "";
  return fmt::format("{} to {}", FormatBound(setting.type, setting.least),
                     FormatBound(setting.type, setting.most));
}

template <class S>
std::string Table(std::string_view heading, std::string_view intro,
                  std::span<const Setting<S>> settings) {
  std::string text = fmt::format(
      "\n## {}\n\n{}\n\n| setting | default | bounds | may change | what it is |\n"
      "|---|---|---|---|---|\n",
      heading, intro);
  for (const Setting<S>& setting : settings) {
    const std::string usual = setting.usual.empty() ? "" : fmt::format("`{}`", setting.usual);
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", setting.name, usual, Bounds(setting),
                        NameOf(setting.change), setting.help);
  }
  return text;
}

constexpr std::string_view kIntro =
    R"(# Configuration

Sluice reads one TOML file (`sluice serve --config FILE`); without one, every default below holds. `sluice check FILE` prints a
file with all defaults filled in, or every mistake in it as `file:line:column: what is wrong`, and what was probably meant.

The command line wins over the file: `--set section.key=value`, as often as needed (a value that is not TOML is taken as a
string, so `--set log.segment=64MiB` needs no quotes), `--port N` and `--http-port N` for the ports of `server.listen` and
`server.http`.

Sizes are a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`. Durations are a whole number and `us`, `ms`, `s`, `m`, `h` or `d`.
An unknown setting is an error, and so is one that comes with a later version.

This page is printed from the table that reads the file.
)";

constexpr std::string_view kRebalanceIntro =
    R"(The balancer: which shards it would split, merge or move, and when. What it goes by and what its warnings mean:
[rebalance](../operating/rebalance.md).)";

constexpr std::string_view kKeyspaceIntro =
    R"(A keyspace is a named family of keys with one template and one write policy. A template is literals and segments,
`order:{customer_id}:{order_id}`. A segment ends where the literal behind it first occurs, holds at least one byte, and the last
one holds no `:`. A key belongs to the one keyspace whose template matches it: two templates that can match one key are refused
with an example of such a key, and so is a template that can match keys beginning with `sluice:`, which are reserved.

A key that no template matches belongs to keyspace `default`, which is sharded by the hash of the whole key, or of what stands
between its first `{` and the next `}` when that is not empty. `[keyspace.default]` takes no `key`, `shard`, `split_points`,
`regions`, `unknown_region` and `limit_by`.

In `range`, a segment of at most 20 digits is a number; numbers come before all others, equal numbers (`7`, `07`) and all else go
by bytes. A keyspace that is taken out of the file stays in the data, with the default policy.

A rate is a whole number of writes and `/s`, `/m` or `/h`, `"50000/s"`; behind it may stand how many may come at once,
`"50000/s burst 100000"`, which is otherwise one second of the rate and one write at least. Rates go from 1 to 10000000, and a
burst is at most what the rate gives in a day. A rate of 0 is refused: `"none"` is no limit. How to choose them, and what a
refusal says: [limits](../guides/limits.md).)";

constexpr std::string_view kLimitByIntro =
    R"(A limit for each value of a segment: each tenant, seller or post has a bucket of its own. `limit_by = "none"` takes it away.)";

constexpr std::string_view kRegionIntro =
    R"(The regions of a keyspace with `geo(…)`: `regions = { IN = { shards = 2 }, EU = { match = ["DE", "FR"], shards = 3 } }`. A write
for a value that no region matches is answered `-REGION`, unless `unknown_region` names a region. Regions may be added later,
and values to a region that were refused until then; what has found a region once stays there. A region keeps bytes in one place
only as far as other nodes own the other regions.)";

constexpr std::string_view kProjectionIntro =
    R"(A projection carries the writes of one keyspace on: to a table of PostgreSQL, or to an archive of files. It keeps its position
in the sink, in one step with the rows, so each write arrives once and in order. The writes of a batch on one key become one row.
A new projection copies what is there first. A projection that is taken out of the file stops; where it was stays in its sink.

While a keyspace has a projection, `APPEND` and `SETRANGE` log the whole value, and `FLUSHALL` is refused. `file:DIR` takes none
of `table`, `columns`, `key`, `mode`, `adopt`, `on_expire`, `connections` and `create`: an archive has every change.)";

constexpr std::string_view kUserIntro =
    R"(Without any `[user.NAME]`, every connection may do everything, and Sluice listens on loopback addresses only. As soon as there is
one, nobody else gets in: a connection that has not authenticated is user `default` if that is configured without a password, and
otherwise must authenticate first. A user without `keys` may use all keys; one without `commands` may read and write, and not use
admin commands. HTTP asks for the same users, and shows the configuration to admins. Users change with SIGHUP: who has lost the name or the password must log in again.)";

}  // namespace

std::string ReferenceText() {
  std::string text(kIntro);
  text += Table("[server]", "The process, and what it listens on.", ServerSettings());
  text += Table("[log]", "How writes become durable.", LogSettings());
  text += Table("[rebalance]", kRebalanceIntro, RebalanceSettings());
  text += Table("[keyspace.NAME]", kKeyspaceIntro, KeyspaceSettings());
  text += Table("keyspace.NAME.regions", kRegionIntro, RegionSettings());
  text += Table("keyspace.NAME.limit_by", kLimitByIntro, LimitBySettings());
  text += Table("[projection.NAME]", kProjectionIntro, ProjectionSettings());
  text += Table("projection.NAME.batch", "How a projection gathers rows.", BatchSettings());
  text += Table("[user.NAME]", kUserIntro, UserSettings());
  return text;
}

}  // namespace sluice::config
